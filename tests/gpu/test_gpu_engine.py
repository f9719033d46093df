"""The engine answers as `transformers.generate` does, on the device, and how fast."""

import asyncio
import sys
import time
from collections.abc import Sequence

import pytest
import torch

from node.engine.engine import Sampling
from node.engine.transformers_engine import TransformersEngine
from tests.gpu.conftest import CPU, Device, Running, random_llama
from tests.gpu.greedy import generated, require_greedy, require_same_or_tied
from tests.support.engine_conformance import all_of, ids_of

LATE_S = 0.01
EQUAL_SHARE = {"float32": 0.9, "bfloat16": 0.0}
"""Answers that must be equal to the last token; in bfloat16 ties are frequent."""


def prompts(count: int) -> list[list[int]]:
    """Return prompts of unlike lengths, some read in several passes."""
    return [
        [20 + (13 * at + 7 * place) % 200 for place in range(3 + (29 * at) % 120)]
        for at in range(count)
    ]


async def answered(
    engine: TransformersEngine, asked: Sequence[Sequence[int]], tokens_max: int
) -> list[list[int]]:
    """Return the answers; a quarter of the requests each arrives a little later."""

    async def answer(at: int) -> list[int]:
        await asyncio.sleep(LATE_S * (at % 4))
        return ids_of(
            await all_of(engine.generate(asked[at], Sampling(tokens_max=tokens_max)))
        )

    return await asyncio.gather(*map(answer, range(len(asked))))


@pytest.mark.parametrize("data_type", ["float32", "bfloat16"])
async def test_batched_answers_are_those_of_generate_on_the_device(
    device: Device, running: Running, data_type: str
) -> None:
    """Ragged prompts and late arrivals; only a tie within rounding may differ."""
    async with running(data_type) as engine:
        model = engine.model
        assert model.device.type == device.name
        assert str(model.dtype) == f"torch.{data_type}"
        asked = prompts(2 * device.slots)

        answers = await answered(engine, asked, device.tokens)

        wanted = [generated(model, one, tokens_max=device.tokens) for one in asked]
        for prompt, answer, own in zip(asked, answers, wanted, strict=True):
            require_same_or_tied(model, prompt, answer=answer, wanted=own)
    equal = sum(answer == own for answer, own in zip(answers, wanted, strict=True))
    sys.stdout.write(f"{device.name} {data_type}: {equal}/{len(asked)} equal\n")
    assert equal >= EQUAL_SHARE[data_type] * len(asked)


@pytest.mark.parametrize("data_type", ["float32", "bfloat16"])
async def test_throughput_is_printed(
    device: Device, running: Running, data_type: str
) -> None:
    """Tokens per second at 1, 8 and as many callers as there are slots."""
    async with running(data_type) as engine:
        for callers in sorted({1, min(8, device.slots), device.slots}):
            begin_s = time.perf_counter()
            answers = await answered(engine, prompts(callers), device.tokens)
            taken_s = time.perf_counter() - begin_s
            tokens = sum(map(len, answers))
            sys.stdout.write(
                f"{device.name} {data_type}: {callers} callers, "
                f"{tokens / taken_s:,.0f} tokens/s\n"
            )
            assert all(answers)
            assert tokens <= callers * device.tokens


def test_token_that_is_not_the_models_is_found() -> None:
    """A check that forgave everything would pass any engine."""
    model = random_llama(CPU.shape)
    prompt = prompts(3)[-1]
    answer = generated(model, prompt, tokens_max=CPU.tokens)
    require_greedy(model, prompt, answer)
    wrong = [*answer[:-1], (answer[-1] + 1) % model.config.vocab_size]

    with pytest.raises(AssertionError, match="deviations below the best"):
        require_same_or_tied(model, prompt, answer=wrong, wanted=answer)


def test_tie_within_rounding_is_forgiven() -> None:
    """Two tokens with the same logit are both the likeliest."""
    model = random_llama(CPU.shape)
    prompt = prompts(2)[-1]
    (best,) = generated(model, prompt, tokens_max=1)
    twin = (best + 1) % model.config.vocab_size
    with torch.no_grad():
        model.lm_head.weight[twin] = model.lm_head.weight[best]

    require_same_or_tied(model, prompt, answer=[twin], wanted=[best])

    row = model(input_ids=torch.tensor([prompt])).logits[0, -1]
    assert float(row[twin]) == pytest.approx(float(row.max()))
    other = (best + 2) % model.config.vocab_size
    with pytest.raises(AssertionError, match="deviations below the best"):
        require_same_or_tied(model, prompt, answer=[other], wanted=[best])
