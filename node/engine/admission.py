"""Who may run, who waits, who is refused.

Decides admission by numbers, urgency and arrival alone; refuses to know what the jobs
do. Jobs arrive on the event loop and are taken in the model thread, hence the lock.

Within a kind the order is that of arrival, where a more urgent job counts as having
come `ageing_s` earlier for each level. So urgent jobs pass others, and none starves:
only those that come within `ageing_s` per level after a job can go before it.
"""

import bisect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from federated_router.kit.errors import DeadlineExceeded, Draining, QueueFull
from node.engine.engine import DEFAULT_TERMS, EngineLoad, Priority, Terms
from node.engine.limits import EngineLimits

RETRY_AFTER_S = 1.0
"""What a refused caller is told to wait before it asks this node again."""


class JobKind(Enum):
    """Whether a job shares the batch or makes its own forward passes."""

    PUBLIC = "public"
    PRIVATE = "private"


class Job(Protocol):
    """What admission sees of a job."""

    @property
    def kind(self) -> JobKind:
        """Return which slots the job needs."""
        ...


SomeJob = TypeVar("SomeJob", bound=Job)


@dataclass(frozen=True, slots=True)
class Waiting(Generic[SomeJob]):
    """A job in line; the least (`rank_s`, `number`) is the next to run."""

    rank_s: float
    number: int
    job: SomeJob
    deadline_s: float | None

    @property
    def place(self) -> tuple[float, int]:
        """Return what the line is ordered by."""
        return self.rank_s, self.number


class Admission(Generic[SomeJob]):
    """The waiting lines and the count of who runs; closed until `open`.

    `monotonic_s` is the clock of `Terms.deadline_s`.
    """

    def __init__(
        self, limits: EngineLimits, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._monotonic_s = monotonic_s
        self._slots = {
            JobKind.PUBLIC: limits.slots,
            JobKind.PRIVATE: limits.private_slots,
        }
        self._waiting: dict[JobKind, list[Waiting[SomeJob]]] = {k: [] for k in JobKind}
        self._running = dict.fromkeys(JobKind, 0)
        self._joined = 0
        self._is_open = False
        self._changed = threading.Condition()

    def open(self) -> None:
        """Begin to admit."""
        with self._changed:
            self._is_open = True

    def close(self) -> list[SomeJob]:
        """Admit no more; return those that waited, in no particular order."""
        with self._changed:
            self._is_open = False
            left = [one.job for line in self._waiting.values() for one in line]
            for line in self._waiting.values():
                line.clear()
            self._changed.notify_all()
            return left

    @property
    def is_open(self) -> bool:
        """Return whether jobs are admitted."""
        return self._is_open

    def join(self, job: SomeJob, terms: Terms = DEFAULT_TERMS) -> None:
        """Put the job in line.

        Raises:
            Draining: the engine is not running.
            QueueFull: every slot of its kind is taken and `waiting_max` jobs wait.
        """
        with self._changed:
            if not self._is_open:
                raise Draining("The engine is stopped; ask another node.")
            if self._beyond_slots_after(job.kind) > self._limits.waiting_max:
                raise QueueFull(
                    f"{self._limits.waiting_max} requests wait already; retry later.",
                    metadata={"waiting_max": str(self._limits.waiting_max)},
                    retry_after_s=RETRY_AFTER_S,
                )
            bisect.insort(
                self._waiting[job.kind], self._in_line(job, terms), key=_place
            )
            self._changed.notify_all()

    def _in_line(self, job: SomeJob, terms: Terms) -> Waiting[SomeJob]:
        self._joined += 1
        levels = Priority.HIGH - terms.priority
        rank_s = self._monotonic_s() + levels * self._limits.ageing_s
        return Waiting(rank_s, self._joined, job, terms.deadline_s)

    def _beyond_slots_after(self, joining: JobKind) -> int:
        """Return how many would wait beyond the free slots, were one more to join.

        0 where a slot of the joining kind is free, whatever the other kind does.
        """
        beyond = {
            kind: len(line) + (kind is joining) + self._running[kind]
            - self._slots[kind]
            for kind, line in self._waiting.items()
        }  # fmt: skip
        if beyond[joining] <= 0:
            return 0
        return sum(max(0, count) for count in beyond.values())

    def take(self, kind: JobKind) -> SomeJob | None:
        """Return the next job of `kind` that has a slot, now counted as running."""
        with self._changed:
            line = self._waiting[kind]
            if not line or self._running[kind] >= self._slots[kind]:
                return None
            self._running[kind] += 1
            return line.pop(0).job

    def leave(self, kind: JobKind) -> None:
        """Give a running job's slot back."""
        with self._changed:
            self._running[kind] -= 1

    def withdraw(self, job: SomeJob) -> bool:
        """Take a waiting job out of line; False if it does not wait."""
        with self._changed:
            line = self._waiting[job.kind]
            for at, one in enumerate(line):
                if one.job == job:
                    del line[at]
                    return True
            return False

    def expired(self) -> list[SomeJob]:
        """Take those out of line whose deadline has passed; return them."""
        now_s, found = self._monotonic_s(), []
        with self._changed:
            for line in self._waiting.values():
                late = [one for one in line if _is_late(one, now_s)]
                for one in late:
                    line.remove(one)
                found += [one.job for one in late]
        return found

    def wait_for_work(self, timeout_s: float | None = None) -> None:
        """Block until a job waits that has a slot, until closed, or for so long."""
        with self._changed:
            self._changed.wait_for(
                lambda: not self._is_open or self._has_work(), timeout_s
            )

    def _has_work(self) -> bool:
        return any(
            line and self._running[kind] < self._slots[kind]
            for kind, line in self._waiting.items()
        )

    def load(self) -> EngineLoad:
        """Return the counts of this moment."""
        with self._changed:
            return EngineLoad(
                running=sum(self._running.values()),
                waiting=sum(len(line) for line in self._waiting.values()),
                slots=sum(self._slots.values()),
                waiting_max=self._limits.waiting_max,
            )


def deadline_passed() -> DeadlineExceeded:
    """Return what a request is told that waited for a slot until its deadline."""
    return DeadlineExceeded("No slot was free before the request's deadline.")


def _place(one: Waiting[SomeJob]) -> tuple[float, int]:
    return one.place


def _is_late(one: Waiting[SomeJob], now_s: float) -> bool:
    return one.deadline_s is not None and one.deadline_s <= now_s
