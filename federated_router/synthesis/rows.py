"""Rows of jobs and batches, and the values that they mean.

Decides how a value lies in a row, and which statement reads or writes it. Refuses to
know when (`store`) and to decide what follows what (`job`).
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, case, delete, func, insert, or_, select, update

from federated_router.budget.reservation import Owner
from federated_router.synthesis.job import (
    Batch,
    BatchState,
    Job,
    JobKey,
    JobState,
    Tally,
)
from federated_router.synthesis.schema import BATCHES, JOBS, RECORDS

_DIGESTS_AT_ONCE: Final = 500
_CLOSED: Final = (JobState.FINISHED.value,)


def job_of(connection: Connection, key: JobKey, *, lock: bool = False) -> Job | None:
    """Return a job; `lock` keeps other transactions from it until this one ends."""
    found = select(JOBS).where(JOBS.c.key == key)
    row = connection.execute(found.with_for_update() if lock else found).one_or_none()
    return None if row is None else _job(row)


def jobs_of(connection: Connection, user: str, *, after: str, count: int) -> list[Job]:
    """Return a user's jobs after that key, by key."""
    found = (
        select(JOBS)
        .where(JOBS.c.user == user, JOBS.c.key > after)
        .order_by(JOBS.c.key)
        .limit(count)
    )
    return [_job(row) for row in connection.execute(found)]


def unclosed(connection: Connection, *, before_s: float, count: int) -> list[Job]:
    """Return jobs that were opened before then and are not closed, oldest first."""
    found = (
        select(JOBS)
        .where(JOBS.c.state.not_in(_CLOSED), JOBS.c.created_time_s < before_s)
        .order_by(JOBS.c.created_time_s)
        .limit(count)
    )
    return [_job(row) for row in connection.execute(found)]


def count_unclosed(connection: Connection, user: str) -> int:
    """Return how many of a user's jobs are not closed."""
    found = select(func.count()).where(
        JOBS.c.user == user, JOBS.c.state.not_in(_CLOSED)
    )
    return connection.execute(found).scalar_one()


def insert_job(connection: Connection, job: Job) -> None:
    """Write a new job."""
    connection.execute(insert(JOBS).values(**_job_columns(job)))


def save_job(connection: Connection, job: Job) -> None:
    """Write what may change of a job."""
    changed = {
        "state": job.state.value,
        "tokens_charged": job.tokens_charged,
        "closed_time_s": job.closed_time_s,
    }
    connection.execute(update(JOBS).where(JOBS.c.key == job.key).values(**changed))


def delete_job(connection: Connection, key: JobKey) -> None:
    """Delete a job with all that belongs to it."""
    for table, column in (
        (RECORDS, RECORDS.c.job),
        (BATCHES, BATCHES.c.job),
        (JOBS, JOBS.c.key),
    ):
        connection.execute(delete(table).where(column == key))


def closed_before(connection: Connection, time_s: float, *, count: int) -> list[JobKey]:
    """Return jobs that were closed before then."""
    found = select(JOBS.c.key).where(JOBS.c.closed_time_s < time_s).limit(count)
    return [JobKey(row.key) for row in connection.execute(found)]


def batch_of(connection: Connection, key: JobKey, number: int) -> Batch | None:
    """Return a batch that was started."""
    found = select(BATCHES).where(BATCHES.c.job == key, BATCHES.c.number == number)
    row = connection.execute(found).one_or_none()
    return None if row is None else _batch(row)


def batches_of(
    connection: Connection, key: JobKey, *, after: int, count: int
) -> list[Batch]:
    """Return batches that were started after that number, by number."""
    found = (
        select(BATCHES)
        .where(BATCHES.c.job == key, BATCHES.c.number > after)
        .order_by(BATCHES.c.number)
        .limit(count)
    )
    return [_batch(row) for row in connection.execute(found)]


def insert_batch(
    connection: Connection, key: JobKey, batch: Batch, digests: Sequence[bytes]
) -> None:
    """Write a started batch and its records."""
    connection.execute(insert(BATCHES).values(job=key, **_batch_columns(batch)))
    connection.execute(
        insert(RECORDS),
        [{"job": key, "digest": one, "number": batch.number} for one in digests],
    )


def save_batch(connection: Connection, key: JobKey, batch: Batch) -> None:
    """Write a batch as it became."""
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.job == key, BATCHES.c.number == batch.number)
        .values(**_batch_columns(batch))
    )


def delete_batch(connection: Connection, key: JobKey, number: int) -> None:
    """Delete a batch that was certainly not sampled; its records are free again."""
    for table in (RECORDS, BATCHES):
        connection.execute(
            delete(table).where(table.c.job == key, table.c.number == number)
        )


def is_any_taken(connection: Connection, key: JobKey, digests: Sequence[bytes]) -> bool:
    """Return whether a batch of the job has any of these records."""
    for first in range(0, len(digests), _DIGESTS_AT_ONCE):
        some = digests[first : first + _DIGESTS_AT_ONCE]
        found = select(RECORDS.c.number).where(
            RECORDS.c.job == key, RECORDS.c.digest.in_(some)
        )
        if connection.execute(found.limit(1)).first() is not None:
            return True
    return False


def spend_lapsed(connection: Connection, key: JobKey, *, now_s: float) -> None:
    """Mark batches at which nobody can be any more: nobody knows what they sampled."""
    connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.job == key,
            BATCHES.c.state == BatchState.SAMPLING.value,
            BATCHES.c.lease_expires_s <= now_s,
        )
        .values(state=BatchState.SPENT.value)
    )


def spend_orphans(connection: Connection, owner: Owner) -> int:
    """Mark batches that earlier boots of the owner sampled; return how many."""
    done = connection.execute(
        update(BATCHES)
        .where(
            BATCHES.c.state == BatchState.SAMPLING.value,
            BATCHES.c.owner_instance == owner.instance,
            BATCHES.c.owner_boot != owner.boot,
        )
        .values(state=BatchState.SPENT.value)
    )
    return done.rowcount


def tally_of(connection: Connection, key: JobKey, *, now_s: float) -> Tally:
    """Return a job's batches by what became of them."""
    state, lease_s = BATCHES.c.state, BATCHES.c.lease_expires_s
    sampling = state == BatchState.SAMPLING.value
    spent = or_(state == BatchState.SPENT.value, sampling & (lease_s <= now_s))
    row = connection.execute(
        select(
            func.sum(case((state == BatchState.SAMPLED.value, 1), else_=0)),
            func.sum(case((spent, 1), else_=0)),
            func.sum(case((sampling & (lease_s > now_s), 1), else_=0)),
            func.max(BATCHES.c.tokens),
        ).where(BATCHES.c.job == key)
    ).one()
    return Tally(*(int(value or 0) for value in row))


def _job(row: Row[Any]) -> Job:
    columns = dict(row._mapping)  # noqa: SLF001 - its documented door.
    return Job(**{**columns, "state": JobState(columns["state"])})


def _job_columns(job: Job) -> dict[str, object]:
    columns = {name: getattr(job, name) for name in JOBS.c.keys()}  # noqa: SIM118
    return {**columns, "state": job.state.value}


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        number=row.number,
        owner=Owner(row.owner_instance, row.owner_boot),
        lease_expires_s=row.lease_expires_s,
        state=BatchState(row.state),
        tokens=row.tokens,
        content=bytes(row.content),
    )


def _batch_columns(batch: Batch) -> dict[str, object]:
    return {
        "number": batch.number,
        "state": batch.state.value,
        "owner_instance": batch.owner.instance,
        "owner_boot": batch.owner.boot,
        "lease_expires_s": batch.lease_expires_s,
        "tokens": batch.tokens,
        "content": batch.content,
    }
