"""Synthesis jobs in backups of the ledger: what must not happen after a restore.

Decides that a job which comes back takes no further batch, unless somebody vouches
that none was sampled after the backup: the one charge rests on each batch being
sampled at most once, and a backup does not know what came after it. Refuses to know
files. What was stored of a job is kept, and closing it settles its charge.
"""

from typing import Final

from sqlalchemy import Connection, exists, insert, select, update

from federated_router.budget.backup.annex import Annex
from federated_router.budget.sql.schema import RESERVATIONS
from federated_router.synthesis.batch_hold import JOBS_OWNER
from federated_router.synthesis.job import BatchState, JobState
from federated_router.synthesis.schema import BATCHES, JOBS, RECORDS
from federated_router.synthesis.store import MIGRATIONS

_GOING: Final = (JobState.OPENING.value, JobState.OPEN.value)


def settle(connection: Connection, nothing_since: bool) -> int:  # noqa: FBT001 - a port.
    """Spend what was being sampled, and stop jobs under way; return how many stopped.

    With `nothing_since` these jobs go on. Raises ValueError for an open job that the
    ledger holds nothing for.
    """
    held = exists().where(RESERVATIONS.c.request_id == JOBS.c.key)
    unheld = select(JOBS.c.key).where(JOBS.c.state == JobState.OPEN.value, ~held)
    if connection.execute(unheld.limit(1)).first() is not None:
        raise ValueError("an open job has no hold")
    connection.execute(
        update(BATCHES)
        .where(BATCHES.c.state == BatchState.SAMPLING.value)
        .values(state=BatchState.SPENT.value)
    )
    if nothing_since:
        return 0
    going = select(JOBS.c.key, JOBS.c.records_count, JOBS.c.slots)
    jobs = connection.execute(going.where(JOBS.c.state.in_(_GOING))).all()
    for key, records_count, slots in jobs:
        _stop(connection, key, batches_count=-(-records_count // slots))
    return len(jobs)


def _stop(connection: Connection, key: str, *, batches_count: int) -> None:
    """Let a job take no batch any more, and owe what any batch was granted.

    The first batch that the backup does not know stands, spent, for all that may have
    been sampled since: their lengths are not known, as those of spent batches.
    """
    numbers = select(BATCHES.c.number).where(BATCHES.c.job == key)
    started = set(connection.execute(numbers).scalars())
    unknown = next((one for one in range(batches_count) if one not in started), None)
    if unknown is not None:
        connection.execute(
            insert(BATCHES).values(
                job=key,
                number=unknown,
                state=BatchState.SPENT.value,
                owner_instance=JOBS_OWNER.instance,
                owner_boot=JOBS_OWNER.boot,
                lease_expires_s=0.0,
                tokens=0,
                content=b"",
            )
        )
    connection.execute(
        update(JOBS).where(JOBS.c.key == key).values(state=JobState.FINISHING.value)
    )


SYNTHESES: Final = Annex(
    name="synthesis jobs",
    migrations=MIGRATIONS,
    tables=(JOBS, BATCHES, RECORDS),
    settle=settle,
)
