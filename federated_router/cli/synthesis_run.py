"""Drives a synthesis job: every batch once, across lost calls and restarts.

Decides what is asked again: what the router certainly did not sample, and what it may
have stored. Refuses to decide anything about charges: the router never samples a batch
twice, whatever is asked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.api.v1 import synthesis_pb2_grpc as pb_grpc
from federated_router.cli.synthesis_records import Records
from federated_router.kit.errors import (
    BudgetExhausted,
    DeadlineExceeded,
    FederationError,
    Internal,
    LimitReached,
    RequestAlreadyServed,
    Unavailable,
)
from federated_router.kit.grpc_client import translated_errors

CALL_TIMEOUT_S = 30.0
PAUSE_S = 0.5
PAUSE_MAX_S = 10.0
LOST_IN_A_ROW_MAX = 5
AWAY = (Unavailable, DeadlineExceeded)
_PASSING = (*AWAY, LimitReached, Internal)
Answer = TypeVar("Answer")


class Outcome(StrEnum):
    """What became of a batch, as far as this command knows."""

    SAMPLED = "sampled"
    LOST = "lost"
    REFUSED = "refused"


Told = Callable[[Outcome], None]


@dataclass(slots=True)
class Run:
    """One job as this command drives it.

    `patience_s` is how long one batch is asked for while nobody can sample it.
    """

    stub: pb_grpc.SynthesisServiceStub
    job: pb.Synthesis
    records: Records
    told: Told
    sample_timeout_s: float
    patience_s: float
    parallel: int = 1
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    _lost_in_a_row: int = 0

    async def sample_all(self) -> None:
        """Sample every batch that was not started.

        Raises Unavailable where nobody can sample now, Internal where batch after
        batch is lost, and what the router refuses for good.
        """
        done = set()
        async for batch in self.batches():
            done.add(batch.number)
            has_text = batch.state == pb.SynthesisBatch.STATE_SAMPLED
            self.told(Outcome.SAMPLED if has_text else Outcome.LOST)
        todo = (one for one in range(self.job.batches_count) if one not in done)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self.parallel):
                    workers.create_task(self._work(todo))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def batches(self) -> AsyncIterator[pb.SynthesisBatch]:
        """Yield every batch that was started and is over, by number."""
        token = ""
        while True:
            request = pb.ListSynthesisBatchesRequest(
                name=self.job.name, page_size=100, page_token=token
            )
            page = await patiently(
                partial(
                    self.stub.ListSynthesisBatches, request, timeout=CALL_TIMEOUT_S
                ),
                patience_s=self.patience_s,
            )
            for batch in page.batches:
                if batch.state != pb.SynthesisBatch.STATE_SAMPLING:
                    yield batch
            token = page.next_page_token
            if not token:
                return

    async def _work(self, todo: Iterator[int]) -> None:
        for number in todo:
            outcome = await self._batch(number)
            self.outcomes[outcome] += 1
            self.told(outcome)
            lost = outcome is Outcome.LOST
            self._lost_in_a_row = self._lost_in_a_row + 1 if lost else 0
            if self._lost_in_a_row >= LOST_IN_A_ROW_MAX:
                raise Internal(
                    f"{LOST_IN_A_ROW_MAX} batches were lost one after another. Look "
                    "after the nodes, then go on with --resume."
                )

    async def _batch(self, number: int) -> Outcome:
        """Ask for a batch until its fate is known.

        Asked again, the router tells whether the batch is spent.
        """
        return await patiently(
            lambda: self._ask(number), patience_s=self.patience_s, passing=_PASSING
        )

    async def _ask(self, number: int) -> Outcome:
        slots = self.job.batch_records
        request = pb.SampleSynthesisRequest(
            name=self.job.name,
            batch_number=number,
            records=self.records.batch(number, slots=slots),
        )
        try:
            async with translated_errors():
                await self.stub.SampleSynthesis(request, timeout=self.sample_timeout_s)
        except RequestAlreadyServed as error:
            if error.metadata.get("state") == "sampling":
                raise Unavailable("Another call samples this batch.") from error
            return Outcome.LOST
        except BudgetExhausted:
            return Outcome.REFUSED  # A block of one of its records; others go on.
        return Outcome.SAMPLED


async def patiently(
    ask: Callable[[], Awaitable[Answer]],
    *,
    patience_s: float,
    passing: tuple[type[FederationError], ...] = AWAY,
) -> Answer:
    """Return what `ask` answers, asked again while its errors are `passing`.

    Raises the last of them once `patience_s` were waited, and any other at once.
    """
    pause_s, waited_s = PAUSE_S, 0.0
    while True:
        try:
            async with translated_errors():
                return await ask()
        except passing as error:
            if waited_s >= patience_s:
                raise
            wait_s = max(pause_s, error.retry_after_s or 0.0)
        await asyncio.sleep(wait_s)
        waited_s, pause_s = waited_s + wait_s, min(2 * pause_s, PAUSE_MAX_S)


async def finish(
    stub: pb_grpc.SynthesisServiceStub, name: str, *, patience_s: float
) -> pb.Synthesis:
    """Close the job; batches that another call still samples are waited for."""
    waited_s = 0.0
    while True:
        try:
            async with translated_errors():
                answer = await stub.FinishSynthesis(
                    pb.FinishSynthesisRequest(name=name), timeout=CALL_TIMEOUT_S
                )
        except FederationError as error:
            passing = isinstance(error, Unavailable) or (
                "batches_sampling" in error.metadata
            )
            if not passing or waited_s >= patience_s:
                raise
        else:
            job: pb.Synthesis = answer.synthesis
            return job
        await asyncio.sleep(PAUSE_S)
        waited_s += PAUSE_S
