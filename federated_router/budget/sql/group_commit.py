"""Calls that wait run together: one transaction, and one flush to disk, for them all.

Decides who waits and how long, how many run at once, and who is told what. Refuses to
know what a call does and what a transaction is. While one batch runs the next one
gathers, so a batch is as large as the load asks for, and a lone call waits for nobody.

A call that is cancelled or out of time before its batch begins does not run. After
that it runs to its end, whether or not anybody waits: its outcome is unknown to the
caller, who may repeat it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from federated_router.kit.errors import QueueFull

Call = TypeVar("Call")
RETRY_AFTER_S: Final = 0.1


class Outcome(NamedTuple):
    """What became of a call: its answer, or the error that it raised."""

    answer: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """How many calls may wait, how many run together, and how long a caller waits."""

    queue_max: int
    batch_max: int
    timeout_s: float


Run = Callable[[Sequence[Call]], Awaitable[Sequence[Outcome]]]
"""Runs a batch and returns one outcome per call, in order."""


@dataclass(slots=True)
class _Waiting(Generic[Call]):
    call: Call
    told: "asyncio.Future[Any]"
    deadline_s: float


class GroupCommit(Generic[Call]):
    """The queue before one writer."""

    def __init__(self, run: Run[Call], limits: GroupLimits) -> None:
        self._run = run
        self._limits = limits
        self._queue: deque[_Waiting[Call]] = deque()
        self._drain: asyncio.Task[None] | None = None
        # All wait equally long, so whoever came first is out of time first, and one
        # timer watches over all.
        self._deadlines: deque[_Waiting[Call]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, call: Call) -> Any:  # noqa: ANN401 - what the call answers.
        """Run `call` with those that wait; return its answer or raise its error.

        Raises QueueFull, before anything ran, where too many wait, and TimeoutError
        for a call whose outcome is not known in time.
        """
        if len(self._queue) >= self._limits.queue_max:
            raise QueueFull(
                "Too many calls wait for the ledger. Slow down, then repeat.",
                metadata={"queue_max": str(self._limits.queue_max)},
                retry_after_s=RETRY_AFTER_S,
            )
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._limits.timeout_s
        waiting = _Waiting(call, loop.create_future(), deadline_s)
        self._queue.append(waiting)
        self._deadlines.append(waiting)
        if self._timer is None:
            self._timer = loop.call_at(deadline_s, self._end_waits)
        if self._drain is None:
            self._drain = loop.create_task(self._until_empty())
        return await waiting.told

    async def close(self) -> None:
        """Wait until everything that was submitted has run."""
        if self._drain is not None:
            await self._drain

    async def _until_empty(self) -> None:
        try:
            while batch := self._next():
                await self._run_one(batch)
                self._forget_told()
        finally:
            self._drain = None

    def _next(self) -> list[_Waiting[Call]]:
        batch: list[_Waiting[Call]] = []
        while self._queue and len(batch) < self._limits.batch_max:
            waiting = self._queue.popleft()
            if not waiting.told.done():
                batch.append(waiting)
        return batch

    async def _run_one(self, batch: list[_Waiting[Call]]) -> None:
        try:
            outcomes = await self._run([waiting.call for waiting in batch])
        except Exception as error:  # noqa: BLE001 - theirs to handle, not the queue's.
            outcomes = [Outcome(error=error) for _ in batch]
        for waiting, outcome in zip(batch, outcomes, strict=True):
            _tell(waiting, outcome)

    def _forget_told(self) -> None:
        while self._deadlines and self._deadlines[0].told.done():
            self._deadlines.popleft()
        if not self._deadlines and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_waits(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._deadlines and self._deadlines[0].deadline_s <= loop.time():
            _tell(self._deadlines.popleft(), Outcome(error=TimeoutError()))
        if self._deadlines:
            self._timer = loop.call_at(self._deadlines[0].deadline_s, self._end_waits)


def _tell(waiting: _Waiting[Any], outcome: Outcome) -> None:
    if waiting.told.done():
        return
    if outcome.error is None:
        waiting.told.set_result(outcome.answer)
    else:
        waiting.told.set_exception(outcome.error)
