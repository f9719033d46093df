"""Where jobs are kept: every step is one transaction in the ledger's database.

Decides what is read and written together, so that a batch is started once whatever
dies and however many routers share the database. Refuses to decide what follows what
(`job`) and to know the ledger, whose reservations have transactions of their own.
"""

from collections.abc import Sequence
from typing import Final, Self

from sqlalchemy import Connection

from federated_router.budget.reservation import Owner
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.database_address import Isolation
from federated_router.kit.errors import (
    FieldInvalid,
    NotNow,
    QueueFull,
    RequestIdReused,
)
from federated_router.synthesis import job as rules
from federated_router.synthesis import rows
from federated_router.synthesis.job import Batch, Job, JobKey
from federated_router.synthesis.reads import AT_ONCE, JobReads, Told, existing

MIGRATIONS: Final = "federated_router.synthesis.migrations"


class SynthesisStore(JobReads):
    """Jobs in SQLite or PostgreSQL."""

    @classmethod
    async def open(cls, url: str, *, clock: Clock, timeout_s: float) -> Self:
        """Create or upgrade the tables at `url`; errors as `Database.open`."""
        database = await Database.open(
            url,
            migrations=MIGRATIONS,
            timeout_s=timeout_s,
            readers_max=2,
            # Whoever waited for a job's lock must see what its holder wrote.
            isolation=Isolation.READ_COMMITTED,
        )
        return cls(database, clock)

    async def close(self) -> None:
        """Let the running transaction end, and close."""
        await self._database.close()

    async def create(self, job: Job, *, open_jobs_max: int) -> Job:
        """Store a new job, or return the one that the same request made.

        Raises:
            RequestIdReused: the id was used for another job.
            QueueFull: the user has enough jobs that are not finished.
        """

        def work(connection: Connection) -> Job:
            earlier = rows.job_of(connection, job.key, lock=True)
            if earlier is not None:
                return _same(earlier, job)
            if rows.count_unclosed(connection, job.user) >= open_jobs_max:
                raise QueueFull(
                    f"You have {open_jobs_max} jobs that are not finished. Finish one.",
                    metadata={"open_jobs_max": str(open_jobs_max)},
                )
            rows.insert_job(connection, job)
            return job

        return await self._database.write("synthesis.create", work)

    async def opened(self, key: JobKey) -> Job:
        """Let batches be sampled: the job's hold stands."""

        def work(connection: Connection) -> Job:
            job = existing(connection, key, lock=True)
            return _moved(connection, rules.opened(job))

        return await self._database.write("synthesis.opened", work)

    async def forget(self, key: JobKey) -> None:
        """Delete a job that could not be opened; leave any other as it is."""

        def work(connection: Connection) -> None:
            job = rows.job_of(connection, key, lock=True)
            if job is not None and job.state is rules.JobState.OPENING:
                rows.delete_job(connection, key)

        await self._database.write("synthesis.forget", work)

    async def start(
        self, key: JobKey, batch: Batch, digests: Sequence[bytes], *, live_max: int
    ) -> Job:
        """Start a batch with these records, durably, before anything is sent.

        Raises:
            NotNow: the job takes no batch.
            QueueFull: enough of its batches are being sampled.
            RequestAlreadyServed: the batch was started before.
            FieldInvalid: a record is in another batch of the job.
        """

        def work(connection: Connection) -> Job:
            job = existing(connection, key, lock=True)
            tally = rows.tally_of(connection, key, now_s=self._clock.now_s())
            earlier = rows.batch_of(connection, key, batch.number)
            started = rules.start(
                job, earlier, batch, live=tally.live, live_max=live_max
            )
            if rows.is_any_taken(connection, key, digests):
                raise FieldInvalid(
                    "A record is in another batch of this job. The one charge rests "
                    "on each record being in one batch.",
                    field="records",
                )
            rows.insert_batch(connection, key, started, digests)
            return job

        return await self._database.write("synthesis.start", work)

    async def end(
        self,
        key: JobKey,
        number: int,
        *,
        owner: Owner,
        tokens: int,
        content: bytes | None,
    ) -> Batch:
        """Store what became of a batch; raise NotNow where that is final already."""

        def work(connection: Connection) -> Batch:
            before = _started(connection, key, number)
            after = rules.end(before, owner=owner, tokens=tokens, content=content)
            rows.save_batch(connection, key, after)
            return after

        return await self._database.write("synthesis.end", work)

    async def drop(self, key: JobKey, number: int, *, owner: Owner) -> None:
        """Take a batch back that was certainly not sampled; it may be started again."""

        def work(connection: Connection) -> None:
            rules.check_sampling(_started(connection, key, number), owner)
            rows.delete_batch(connection, key, number)

        await self._database.write("synthesis.drop", work)

    async def finish(self, key: JobKey) -> Told:
        """Take no batch any more; raise NotNow while one is sampled."""

        def work(connection: Connection) -> Told:
            job = existing(connection, key, lock=True)
            now_s = self._clock.now_s()
            tally = rows.tally_of(connection, key, now_s=now_s)
            after = rules.finish(job, tally)
            rows.spend_lapsed(connection, key, now_s=now_s)
            return Told(_moved(connection, after), tally)

        return await self._database.write("synthesis.finish", work)

    async def settled(self, key: JobKey, *, tokens_charged: int) -> Told:
        """Write down the job's final charge."""

        def work(connection: Connection) -> Told:
            job = existing(connection, key, lock=True)
            now_s = self._clock.now_s()
            after = rules.settled(job, tokens_charged=tokens_charged, now_s=now_s)
            _moved(connection, after)
            return self._told(connection, key)

        return await self._database.write("synthesis.settled", work)

    async def spend_orphans(self, owner: Owner) -> int:
        """Mark what earlier boots of this router were sampling; return how many.

        For the start of a router, when no other process of the instance lives.
        """
        return await self._database.write(
            "synthesis.spend_orphans", lambda c: rows.spend_orphans(c, owner)
        )

    async def delete_closed(self, *, before_s: float) -> int:
        """Delete some jobs that were closed before then; return how many."""

        def work(connection: Connection) -> int:
            keys = rows.closed_before(connection, before_s, count=AT_ONCE)
            for key in keys:
                rows.delete_job(connection, key)
            return len(keys)

        return await self._database.write("synthesis.delete_closed", work)


def _same(earlier: Job, job: Job) -> Job:
    if earlier.body_digest != job.body_digest:
        raise RequestIdReused(
            "This request id was used with another body. Choose a new id.",
            metadata={"request_id": job.key},
        )
    return earlier


def _started(connection: Connection, key: JobKey, number: int) -> Batch:
    """Return a batch for writing; the job's lock comes first, as everywhere."""
    existing(connection, key, lock=True)
    batch = rows.batch_of(connection, key, number)
    if batch is None:
        raise NotNow("The batch is not being sampled.", metadata={"batch": str(number)})
    return batch


def _moved(connection: Connection, job: Job) -> Job:
    rows.save_job(connection, job)
    return job
