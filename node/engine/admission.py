"""Who may run, who waits, who is refused.

Decides admission by numbers alone; refuses to know what the jobs do. Jobs arrive on
the event loop and are taken in the model thread, hence the lock. Within a kind the
first to come is the first to run.
"""

import threading
from collections import deque
from enum import Enum
from typing import Generic, Protocol, TypeVar

from federated_router.kit.errors import Draining, QueueFull
from node.engine.engine import EngineLoad
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


class Admission(Generic[SomeJob]):
    """The waiting lines and the count of who runs; closed until `open`."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._slots = {
            JobKind.PUBLIC: limits.slots,
            JobKind.PRIVATE: limits.private_slots,
        }
        self._waiting: dict[JobKind, deque[SomeJob]] = {k: deque() for k in JobKind}
        self._running = dict.fromkeys(JobKind, 0)
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
            left = [job for line in self._waiting.values() for job in line]
            for line in self._waiting.values():
                line.clear()
            self._changed.notify_all()
            return left

    @property
    def is_open(self) -> bool:
        """Return whether jobs are admitted."""
        return self._is_open

    def join(self, job: SomeJob) -> None:
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
            self._waiting[job.kind].append(job)
            self._changed.notify_all()

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
            return line.popleft()

    def leave(self, kind: JobKind) -> None:
        """Give a running job's slot back."""
        with self._changed:
            self._running[kind] -= 1

    def withdraw(self, job: SomeJob) -> bool:
        """Take a waiting job out of line; False if it does not wait."""
        with self._changed:
            line = self._waiting[job.kind]
            if job not in line:
                return False
            line.remove(job)
            return True

    def wait_for_work(self) -> None:
        """Block until a job waits that has a slot, or until closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_open or self._has_work())

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
