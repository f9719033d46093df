"""Load on the node's engine, without a network: answers, tokens, first-token times."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.settings import PolicySettings
from node.engine.device_map import ModelSource
from node.engine.engine import ChatMessage, Sampling
from node.engine.limits import EngineLimits
from node.engine.pieces import Pieces
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from node.model_settings import ModelSettings
from node.private.credit import Credit
from node.private_answer import begin_private_answer
from node.private_model import PrivateModel
from tests.bench.generate_peer import Answered, Ids

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


@asynccontextmanager
async def served_model(
    directory: Path, *, policies: Sequence[PrivatePolicy] = ()
) -> AsyncIterator[PrivateModel]:
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
    served = PrivateModel(
        name="models/bench",
        engine=engine,
        record_template=settings.record_template,
        policies=policies,
        tokenising=asyncio.Lock(),
    )
    await engine.start()
    await served.prove()
    try:
        yield served
    finally:
        await engine.stop()


class Callers:
    """Callers that ask one question after another, until all prompts are answered."""

    def __init__(
        self, engine: TransformersEngine, prompts: Sequence[Ids], tokens_max: int
    ) -> None:
        self._engine = engine
        self._sampling = Sampling(tokens_max=tokens_max)
        self._waiting = iter(enumerate(prompts))
        self._answers: dict[int, Ids] = {}
        self._first_ms: dict[int, float] = {}
        self._begin_s = time.perf_counter()

    async def ask(self, begin: asyncio.Event, first_token: asyncio.Event) -> None:
        """Ask from `begin` on; set `first_token` once the first one is there."""
        await begin.wait()
        for number, prompt in self._waiting:
            asked_s = time.perf_counter()
            pieces = self._engine.generate(prompt, self._sampling)
            self._answers[number], first_s = await _read(pieces, first_token)
            self._first_ms[number] = (first_s - asked_s) * 1000

    def answered(self) -> Answered:
        """Return what all of them were told, once they are done."""
        ordered = tuple(self._answers[at] for at in range(len(self._answers)))
        seconds = time.perf_counter() - self._begin_s
        return Answered(ordered, seconds, tuple(self._first_ms.values()))


async def answer_all(
    engine: TransformersEngine,
    prompts: Sequence[Ids],
    *,
    callers: int,
    tokens_max: int,
) -> Answered:
    """Answer every prompt for so many callers who begin together."""
    asking, now = Callers(engine, prompts, tokens_max), asyncio.Event()
    now.set()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(asking.ask(now, asyncio.Event()))
    return asking.answered()


async def answer_late(
    engine: TransformersEngine,
    prompts: Sequence[Ids],
    *,
    callers: int,
    tokens_max: int,
) -> Answered:
    """Answer every prompt; a caller comes when the one before has its first token."""
    asking = Callers(engine, prompts, tokens_max)
    begins = [asyncio.Event() for _ in range(callers + 1)]
    begins[0].set()
    async with asyncio.TaskGroup() as group:
        for begin, after in pairwise(begins):
            group.create_task(asking.ask(begin, after))
    return asking.answered()


async def answer_privately(
    served: PrivateModel,
    questions: Sequence[str],
    records: Sequence[str],
    *,
    policy: PrivatePolicy = POLICY,
) -> Answered:
    """Answer questions from private records, one after the other."""
    answers: list[Ids] = []
    first_ms: list[float] = []
    begin_s = time.perf_counter()
    for question in questions:
        asked_s = time.perf_counter()
        answer = await begin_private_answer(
            served,
            policy,
            credit=_whole(policy),
            messages=[ChatMessage("user", question)],
            records=records[: min(RECORDS, policy.slots)],
            stop=(),
        )
        tokens, first_s = await _read(answer.pieces)
        answers.append(tokens)
        first_ms.append((first_s - asked_s) * 1000)
    return Answered(tuple(answers), time.perf_counter() - begin_s, tuple(first_ms))


def _whole(policy: PrivatePolicy) -> Credit:
    """Return a grant of all tokens at once: what instalments cost is the router's."""
    tokens = policy.tokens_max
    return Credit(tokens_granted=tokens, tokens_max=tokens, wait_s=1.0)


async def _read(
    pieces: Pieces, first_token: asyncio.Event | None = None
) -> tuple[Ids, float]:
    """Return all tokens, and when the first of them came; set the event then."""
    tokens: list[int] = []
    first_s = 0.0
    async for piece in pieces:
        if not tokens:
            first_s = time.perf_counter()
            if first_token is not None:
                first_token.set()
        tokens += piece.token_ids
    return tuple(tokens), first_s
