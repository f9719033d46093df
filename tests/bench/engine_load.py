"""Load on the node's engine, without a network: answers, tokens, first-token times."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.settings import PolicySettings
from node.config import ModelSettings
from node.engine.device_map import ModelSource
from node.engine.engine import ChatMessage, Pieces, Sampling
from node.engine.limits import EngineLimits
from node.engine.transformers_engine import TransformersEngine, TransformersSettings
from node.private_answer import begin_private_answer
from node.served_model import ServedModel
from tests.bench.generate_peer import Ids

SLOTS = 32
WAITING_MAX = 256
RECORDS = 8
POLICY = PolicySettings.model_validate(
    {
        "name": "bench",
        "slots": 32,
        "clip": "4",
        "temperature": "1",
        "top_k": 50,
        "tokens_max": 12,
        "row_tokens_max": 64,
    }
).policy()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run gave: every answer's tokens, in the order of the prompts."""

    answers: tuple[Ids, ...]
    seconds: float
    first_token_ms: tuple[float, ...]

    @property
    def tokens_per_s(self) -> float:
        """Return generated tokens per second over the whole run."""
        return sum(map(len, self.answers)) / self.seconds


@asynccontextmanager
async def served_model(
    directory: Path, *, policies: Sequence[PrivatePolicy] = ()
) -> AsyncIterator[ServedModel]:
    """Run a model as a node runs it, on one thread."""
    settings = ModelSettings(name="bench", path=directory)
    limits = EngineLimits(
        slots=SLOTS, private_slots=settings.private_slots, waiting_max=WAITING_MAX
    )
    engine = TransformersEngine(
        TransformersSettings(
            source=ModelSource(directory), limits=limits, threads=settings.threads
        )
    )
    served = ServedModel(
        name="models/bench",
        engine=engine,
        slots=SLOTS,
        record_template=settings.record_template,
        policies=policies,
    )
    await served.start()
    try:
        yield served
    finally:
        await engine.stop()


async def answer_all(
    engine: TransformersEngine,
    prompts: Sequence[Ids],
    *,
    callers: int,
    tokens_max: int,
) -> Answered:
    """Answer every prompt, `callers` at a time."""
    answers: dict[int, Ids] = {}
    first_ms: dict[int, float] = {}
    waiting: Iterator[tuple[int, Ids]] = iter(enumerate(prompts))

    async def caller() -> None:
        for number, prompt in waiting:
            begin_s = time.perf_counter()
            pieces = engine.generate(prompt, Sampling(tokens_max=tokens_max))
            answers[number], first_s = await _read(pieces)
            first_ms[number] = (first_s - begin_s) * 1000

    begin_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    seconds = time.perf_counter() - begin_s
    ordered = tuple(answers[number] for number in range(len(prompts)))
    return Answered(ordered, seconds, tuple(first_ms.values()))


async def answer_privately(
    served: ServedModel, questions: Sequence[str], records: Sequence[str]
) -> Answered:
    """Answer questions from private records, one after the other."""
    answers: list[Ids] = []
    first_ms: list[float] = []
    begin_s = time.perf_counter()
    for question in questions:
        asked_s = time.perf_counter()
        answer = await begin_private_answer(
            served,
            POLICY,
            messages=[ChatMessage("user", question)],
            records=records[:RECORDS],
            stop=(),
        )
        tokens, first_s = await _read(answer.pieces)
        answers.append(tokens)
        first_ms.append((first_s - asked_s) * 1000)
    return Answered(tuple(answers), time.perf_counter() - begin_s, tuple(first_ms))


async def _read(pieces: Pieces) -> tuple[Ids, float]:
    """Return all tokens, and when the first of them came."""
    tokens: list[int] = []
    first_s = 0.0
    async for piece in pieces:
        if not tokens:
            first_s = time.perf_counter()
        tokens += piece.token_ids
    return tuple(tokens), first_s
