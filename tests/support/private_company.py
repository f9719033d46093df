"""The logits of a private session, alone and while public requests run beside it.

Tokens of a private answer are drawn from the system's randomness and never repeat, so
what must not change with the company is what they are drawn from.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from federated_router.privacy.policy import PrivatePolicy
from node.engine.engine import Sampling
from node.engine.transformers_engine import TransformersEngine
from node.private.rows import PrivateRows
from node.private.session import RowDecoder

STEPS = 4
COMPANY_TOKENS = 90
_SEED = 41


@dataclass(slots=True)
class LogitsTrace:
    """A Stepper that keeps every row's logits and draws nothing.

    It begins once `wanted` other requests run in the engine. `company` is how many ran
    at each of its passes.
    """

    engine: TransformersEngine
    rows: PrivateRows
    wanted: int
    logits: list[torch.Tensor] = field(default_factory=list)
    company: list[int] = field(default_factory=list)
    _decoder: RowDecoder | None = None

    def step(self) -> tuple[int, bool] | None:
        """Run one pass; every row's next token is the number of the pass."""
        others = self.engine.load().running - 1
        if self._decoder is None and others < self.wanted:
            return None
        self.company.append(others)
        if self._decoder is None:
            self._decoder = RowDecoder(self.engine.model, self.rows)
        else:
            self._decoder.append(1 + len(self.logits))
        self.logits.append(self._decoder.forward().clone())
        is_last = len(self.logits) > STEPS
        return (min(self.engine.end_ids), True) if is_last else (1, False)

    def close(self) -> None:
        """Drop the rows."""
        if self._decoder is not None:
            self._decoder.release()


async def traced(
    engine: TransformersEngine,
    policy: PrivatePolicy,
    company: Sequence[Sequence[int]] = (),
) -> LogitsTrace:
    """Return the trace of a session while these public prompts are answered."""
    rows = _rows(policy, int(engine.model.config.vocab_size))
    trace = LogitsTrace(engine, rows, len(company))

    async def answer(prompt: Sequence[int]) -> None:
        async for _ in engine.generate(tuple(prompt), Sampling(COMPANY_TOKENS)):
            pass

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(answer(prompt)) for prompt in company]
        async for _ in engine.run_stepper(lambda: trace):
            pass
        for task in tasks:
            task.cancel()
    return trace


def is_same(one: LogitsTrace, other: LogitsTrace) -> bool:
    """Return whether every row's logits are equal bit for bit, in every pass."""
    return len(one.logits) == len(other.logits) and all(
        torch.equal(before.view(torch.uint8), after.view(torch.uint8))
        for before, after in zip(one.logits, other.logits, strict=True)
    )


def _rows(policy: PrivatePolicy, vocabulary: int) -> PrivateRows:
    """Return full slots of random tokens, as long as rows may be, less their number."""
    generator = np.random.default_rng(_SEED)
    shape = (policy.slots + 1, policy.row_tokens_max)
    token_ids = generator.integers(5, vocabulary, size=shape, dtype=np.int64)
    starts = np.arange(policy.slots + 1) % (policy.row_tokens_max // 2)
    attention = (np.arange(policy.row_tokens_max) >= starts[:, None]).astype(np.int64)
    live = np.ones(policy.slots, dtype=np.bool_)
    return PrivateRows(token_ids * attention, attention, live)
