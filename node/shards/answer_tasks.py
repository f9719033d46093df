"""Requests that wait for a slot, and the tasks in which answers are made.

Decides that a slot is given back before its reader hears of the end, and that one
answer's failure is that answer's. Refuses to know how an answer is made.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from federated_router.kit.errors import FederationError, Internal
from federated_router.kit.log import get_logger
from node.engine.admission import Admission, JobKind, deadline_passed
from node.engine.engine import Begun, EngineLoad, Sampling, Terms
from node.engine.limits import EngineLimits
from node.engine.piece_stream import Deliver, Outcome, open_stream
from node.engine.pieces import FinishReason, Piece, Pieces

log = get_logger("pipeline")
_TIMER_SLACK_S = 0.001
_ENDED = Piece("", (), FinishReason.CANCELLED)


@dataclass(slots=True, eq=False)
class AnswerJob:
    """One request, and the answer in the making; another node may have begun it."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    begun: Begun
    deliver: Deliver
    kind: JobKind = JobKind.PUBLIC
    task: "asyncio.Task[None] | None" = None


Make = Callable[[AnswerJob], Awaitable[Piece]]
"""Delivers all pieces of an answer but the last, and returns that."""


class AnswerTasks:
    """At most `slots` answers at once; closed until `open`, ended by `stop`."""

    def __init__(self, limits: EngineLimits, make: Make) -> None:
        self._make = make
        self._admission: Admission[AnswerJob] = Admission(limits)
        self._running: set[AnswerJob] = set()

    def open(self) -> None:
        """Begin to admit."""
        self._admission.open()

    async def stop(self) -> None:
        """End every answer as CANCELLED; idempotent."""
        ended = [*self._admission.close(), *self._running]
        tasks = [job.task for job in ended if job.task is not None]
        for job in ended:
            job.deliver(_ENDED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def load(self) -> EngineLoad:
        """Return running and waiting requests."""
        return self._admission.load()

    def begin(
        self,
        prompt_ids: tuple[int, ...],
        sampling: Sampling,
        begun: Begun,
        terms: Terms,
    ) -> Pieces:
        """Put a request in line and return the stream of its answer.

        Raises:
            QueueFull: as many requests wait as may.
            Draining: `open` was not called, or `stop` was.
        """
        job, stream = open_stream(
            partial(AnswerJob, prompt_ids, sampling, begun), self._cancel
        )
        self._admission.join(job, terms)
        self._refuse_at(terms.deadline_s)
        self._run_waiting()
        return stream

    def _cancel(self, job: AnswerJob) -> None:
        if not self._admission.withdraw(job) and job.task is not None:
            job.task.cancel()

    def _refuse_at(self, deadline_s: float | None) -> None:
        if deadline_s is not None:
            after_s = max(0.0, deadline_s - time.monotonic()) + _TIMER_SLACK_S
            asyncio.get_running_loop().call_later(after_s, self._refuse_late)

    def _refuse_late(self) -> None:
        for job in self._admission.expired():
            job.deliver(deadline_passed())

    def _run_waiting(self) -> None:
        while (job := self._admission.take(JobKind.PUBLIC)) is not None:
            self._running.add(job)
            job.task = asyncio.get_running_loop().create_task(self._answer(job))
            job.task.add_done_callback(partial(self._done, job))

    def _done(self, job: AnswerJob, _: "asyncio.Task[None]") -> None:
        self._over(job)

    def _over(self, job: AnswerJob) -> None:
        """Give the slot back; idempotent."""
        if job not in self._running:
            return
        self._running.remove(job)
        self._admission.leave(job.kind)
        if self._admission.is_open:
            self._run_waiting()

    async def _answer(self, job: AnswerJob) -> None:
        ending: Outcome
        try:
            ending = await self._make(job)
        except FederationError as error:
            ending = error
        except Exception as error:
            log.exception("a generation failed", exc_info=error)
            ending = Internal("The model failed on this request.")
        self._over(job)
        job.deliver(ending)
