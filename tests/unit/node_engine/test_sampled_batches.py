"""A sampled answer follows its request's own seed, whatever shares the batch.

Passes of other shapes add in another order, so a row's logits differ in their last
bits with its company (`test_company_moves_logits_by_last_bits_only`). A token can
differ only where the seed's number falls between two such masses: below one chance in
a million per token for float32.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch

from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource, load
from node.engine.engine import Sampling
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from tests.support.engine_conformance import all_of, ids_of

LIMITS = EngineLimits(slots=8, private_slots=1, waiting_max=64)


@pytest.fixture
async def engine(tiny_directory: Path) -> AsyncIterator[TransformersEngine]:
    """Return a started engine with eight slots."""
    made = TransformersEngine(
        TransformersSettings(
            ModelSource(tiny_directory), LIMITS, prefill_tokens_max=32, threads=1
        )
    )
    await made.start()
    yield made
    await made.stop()


def request(number: int) -> tuple[list[int], Sampling]:
    """Return one of many unlike requests, each with a seed of its own."""
    prompt = [20 + (number * 7 + at) % 90 for at in range(3 + 5 * (number % 9))]
    sampling = Sampling(
        tokens_max=12,
        temperature=(0.7, 1.0, 1.5)[number % 3],
        top_k=(0, 40)[number % 2],
        top_p=(1.0, 0.9)[number % 4 // 2],
        repetition_penalty=(1.0, 1.2)[number % 5 // 3],
        seed=number,
    )
    return prompt, sampling


async def answer(engine: TransformersEngine, number: int) -> list[int]:
    """Return the tokens of one request."""
    return ids_of(await all_of(engine.generate(*request(number))))


async def test_sampled_answers_are_those_of_the_request_alone(
    engine: TransformersEngine,
) -> None:
    """The same tokens alone, in full batches, and in batches of another order."""
    alone = [await answer(engine, number) for number in range(24)]

    together = await asyncio.gather(*(answer(engine, number) for number in range(24)))
    backwards = await asyncio.gather(
        *(answer(engine, number) for number in reversed(range(24)))
    )

    assert together == alone
    assert backwards == alone[::-1]
    assert len({tuple(one) for one in alone}) == 24


@torch.inference_mode()
def test_company_moves_logits_by_last_bits_only(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What remains between a row alone and one of eight is rounding, and no more."""
    model = load(ModelSource(tiny_directory)).model
    seen: list[torch.Tensor] = []
    run = Batcher._pass

    def noted(batcher: Batcher, *inputs: object) -> torch.Tensor:
        logits = run(batcher, *inputs)  # type: ignore[arg-type]
        seen.append(logits[0].clone())
        return logits

    monkeypatch.setattr(Batcher, "_pass", noted)
    traces = []
    for company in (0, 7):
        seen.clear()
        batcher = Batcher(model, slots=8, context_tokens=64, prefill_tokens_max=512)
        for number in range(1 + company):
            batcher.join(request(number + 3)[0], Sampling(tokens_max=9))
        for _ in range(9):
            batcher.step()
        traces.append(torch.stack(seen))

    difference = float((traces[0] - traces[1]).abs().max())
    assert difference < 1e-4 * float(traces[0].std())
