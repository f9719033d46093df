"""What is read of jobs: each on one consistent view, and nothing is locked.

Decides how a job and a batch are told. Refuses to write (`store`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection

from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.errors import NotFound
from federated_router.synthesis import job as rules
from federated_router.synthesis import rows
from federated_router.synthesis.job import Batch, Job, JobKey, Tally

T = TypeVar("T")
AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Told:
    """A job as it is told: with its batches by what became of them."""

    job: Job
    tally: Tally


class JobReads:
    """The reading half of the store of jobs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def load(self, key: JobKey) -> Told:
        """Return a job; raise NotFound."""
        return await self._read("synthesis.load", lambda c: self._told(c, key))

    async def list(self, user: str, *, after: str, count: int) -> Sequence[Told]:
        """Return a user's jobs after that key, by key."""

        def work(connection: Connection) -> list[Told]:
            found = rows.jobs_of(connection, user, after=after, count=count)
            return [self._told(connection, job.key) for job in found]

        return await self._read("synthesis.list", work)

    async def batch(self, key: JobKey, number: int) -> Batch | None:
        """Return a batch that was started; its time may be over (`job.seen`)."""
        found = await self._read(
            "synthesis.batch", lambda c: rows.batch_of(c, key, number)
        )
        return None if found is None else rules.seen(found, now_s=self._clock.now_s())

    async def batches(self, key: JobKey, *, after: int, count: int) -> Sequence[Batch]:
        """Return batches that were started after that number, by number; as `batch`."""
        found = await self._read(
            "synthesis.batches",
            lambda c: rows.batches_of(c, key, after=after, count=count),
        )
        return [rules.seen(one, now_s=self._clock.now_s()) for one in found]

    async def unclosed(self, *, before_s: float) -> Sequence[Job]:
        """Return some jobs that were opened before then and are not closed."""
        return await self._read(
            "synthesis.unclosed",
            lambda c: rows.unclosed(c, before_s=before_s, count=AT_ONCE),
        )

    def _told(self, connection: Connection, key: JobKey) -> Told:
        job = existing(connection, key)
        return Told(job, rows.tally_of(connection, key, now_s=self._clock.now_s()))

    async def _read(self, name: str, work: Callable[[Connection], T]) -> T:
        async with self._database.read(name) as connection:
            return await connection.run_sync(work)


def existing(connection: Connection, key: JobKey, *, lock: bool = False) -> Job:
    """Return a job; raise NotFound. `lock` is for a transaction that writes."""
    job = rows.job_of(connection, key, lock=lock)
    if job is None:
        raise NotFound("There is no such synthesis.", metadata={"synthesis": key})
    return job
