"""Whatever comes in whichever order, nothing is left behind and answers stay right.

Arrivals, cancellations and failures follow a seed that is printed on failure; run one
again, or a longer one, with `ENGINE_SEED` and `ENGINE_REQUESTS`.
"""

import asyncio
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from federated_router.kit.errors import DeadlineExceeded, Internal, QueueFull
from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource
from node.engine.engine import Priority, Sampling, Terms
from node.engine.limits import EngineLimits
from node.engine.pieces import FinishReason, Pieces
from node.engine.ready_model import TransformersSettings
from node.engine.rows import Row
from node.engine.transformers_engine import TransformersEngine
from tests.support.engine_conformance import CountingSteps, all_of, idle, ids_of

SEED = int(os.environ.get("ENGINE_SEED", "") or secrets.randbelow(10**6))
REQUESTS = int(os.environ.get("ENGINE_REQUESTS", "80"))
PREFIX_BYTES = 60_000
BREAKING_ID = 200
CALLERS = 19


@pytest.fixture
async def engine(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TransformersEngine]:
    """Return an engine whose passes fail for prompts with the breaking token."""
    run = Batcher._pass

    def breaks(
        batcher: Batcher, group: Sequence[Row], ids: torch.Tensor, *rest: torch.Tensor
    ) -> torch.Tensor:
        if (ids == BREAKING_ID).any():
            raise RuntimeError("this row breaks the pass")
        return run(batcher, group, ids, *rest)

    monkeypatch.setattr(Batcher, "_pass", breaks)
    made = TransformersEngine(
        TransformersSettings(
            ModelSource(tiny_directory),
            EngineLimits(slots=4, private_slots=2, waiting_max=12, ageing_s=0.05),
            prefill_tokens_max=16,
            threads=1,
            prefix_cache_bytes=PREFIX_BYTES,
        )
    )
    await made.start()
    yield made
    await made.stop()


class Callers:
    """Sends random requests and reads them in random ways."""

    def __init__(self, engine: TransformersEngine, chance: random.Random) -> None:
        self._engine = engine
        self._chance = chance
        self.ends: Counter[str] = Counter()
        self.greedy: dict[tuple[int, ...], list[int]] = {}

    async def requests(self, left: Iterator[int]) -> None:
        """Send one request after the other until none is left."""
        for _ in left:
            await self.request()

    async def request(self) -> None:
        """Send one request and follow it to its end, or leave it."""
        await asyncio.sleep(self._chance.random() * 0.02)
        prompt, sampling = self._prompt(), self._sampling()
        try:
            pieces = self._begun(prompt, sampling)
        except QueueFull:
            self.ends["full"] += 1
            await asyncio.sleep(0.05)
            return
        try:
            await self._read(pieces, prompt, sampling)
        except (Internal, DeadlineExceeded, ArithmeticError) as failure:
            self.ends[type(failure).__name__] += 1

    def _begun(self, prompt: list[int], sampling: Sampling) -> Pieces:
        if self._chance.random() < 0.2:
            fail_at = self._chance.choice((None, None, 1, 3))
            steps = CountingSteps(sampling.tokens_max, fail_at=fail_at)
            return self._engine.run_stepper(lambda: steps)
        deadline_s = time.monotonic() + self._chance.choice((0.02, 60.0))
        terms = Terms(
            priority=self._chance.choice(list(Priority)),
            tenant=self._chance.choice(("", "ann", "bob", "cyd")),
            deadline_s=deadline_s if self._chance.random() < 0.3 else None,
        )
        return self._engine.generate(prompt, sampling, terms)

    async def _read(
        self, pieces: Pieces, prompt: list[int], sampling: Sampling
    ) -> None:
        way = self._chance.choice(("read", "read", "close", "drop"))
        if way == "drop":
            self.ends["dropped"] += 1
            return
        if way == "close":
            for _ in range(self._chance.randrange(3)):
                await anext(pieces, None)
            await pieces.aclose()
            self.ends["closed"] += 1
            return
        read = await all_of(pieces)
        assert read[-1].finish in {FinishReason.LENGTH, FinishReason.END}
        self.ends["read"] += 1
        if sampling.temperature == 0 and 70 not in ids_of(read):
            self.greedy[*prompt, -1, sampling.tokens_max] = ids_of(read)

    def _prompt(self) -> list[int]:
        beginning = self._chance.randrange(4)
        prompt = [20 + beginning] * self._chance.randrange(1, 60)
        prompt += [self._chance.randrange(20, 120) for _ in range(3)]
        broken = self._chance.random() < 0.1
        return [*prompt, BREAKING_ID, 21] if broken else prompt

    def _sampling(self) -> Sampling:
        return Sampling(
            tokens_max=self._chance.randrange(1, 20),
            temperature=self._chance.choice((0.0, 0.0, 0.8)),
            logprobs=self._chance.choice((None, None, 2)),
        )


async def test_random_load_leaves_nothing_behind(engine: TransformersEngine) -> None:
    """No slot, waiting place, kept byte or task is lost, and no answer is another's."""
    print(f"ENGINE_SEED={SEED} ENGINE_REQUESTS={REQUESTS}")  # noqa: T201 - to repeat it.
    callers = Callers(engine, random.Random(SEED))  # noqa: S311
    others = asyncio.all_tasks()

    left = iter(range(REQUESTS))
    await asyncio.gather(*(callers.requests(left) for _ in range(CALLERS)))
    await idle(engine)

    assert asyncio.all_tasks() == others
    assert engine._ready is not None
    batcher = engine._ready.batcher
    assert list(batcher.rows) == []
    tree = batcher.kept._tree
    assert tree.size_bytes == sum(node.size_bytes for node in tree._nodes)
    assert 0 < tree.size_bytes <= PREFIX_BYTES
    assert sum(callers.ends.values()) == REQUESTS
    assert callers.ends["read"] > 0, callers.ends
    await _all_as_if_alone(engine, callers.greedy)


async def _all_as_if_alone(
    engine: TransformersEngine, greedy: dict[tuple[int, ...], list[int]]
) -> None:
    """Ask again, one after the other and without a tenant; the answers are the same."""
    assert greedy
    for asked, answer in list(greedy.items())[:20]:
        *prompt, _, tokens_max = asked
        alone = engine.generate(prompt, Sampling(tokens_max=tokens_max))
        assert ids_of(await all_of(alone)) == answer
