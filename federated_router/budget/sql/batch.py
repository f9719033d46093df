"""A batch: calls of the ledger that share one transaction.

Decides the order of a batch: lock the ledger, read ahead, run each call, write. A call
that refuses takes nothing of the others with it. Refuses to know who waits for which
call (`group_commit`) and when a transaction begins and ends (`kit.database`).

Whoever holds the one row of the chain is the only writer of the ledger, in whichever
process. So no other row needs a lock, no two writers can wait for each other, and what
was read stays true until the commit.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from federated_router.budget.calls import Touches
from federated_router.budget.rows import LedgerRows
from federated_router.budget.sql.batch_rows import BatchRows
from federated_router.budget.sql.batch_writer import BatchWriter, WriteRefused
from federated_router.budget.sql.driver import driver_of
from federated_router.budget.sql.group_commit import Outcome
from federated_router.budget.sql.stored_rows import StoredRows


class BatchPoint(Enum):
    """Where a batch stands; tests end the process there."""

    BEGUN = "begun"
    READ = "read"
    STAGED = "staged"
    WRITTEN = "written"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


BatchObserver = Callable[[BatchPoint], None]
"""Told each point that a batch passes, in the writer's thread."""


class Call(NamedTuple):
    """One call: its work, and the rows that it will surely ask for."""

    name: str
    work: Callable[[LedgerRows], Any]
    touches: Touches


def run_batch(
    connection: Connection, calls: Sequence[Call], observe: BatchObserver
) -> list[Outcome]:
    """Run the calls in the transaction of `connection`; return one outcome each.

    Raises only what concerns them all: a database that fails, a write that it refuses.
    """
    stored = StoredRows(connection)
    position = stored.position(locked=True)
    observe(BatchPoint.BEGUN)
    writer = BatchWriter(
        driver_of(connection), between=lambda: observe(BatchPoint.WRITTEN)
    )
    rows = BatchRows(stored, position, writer)
    rows.read_ahead(
        [name for call in calls for name in call.touches.accounts],
        [request_id for call in calls for request_id in call.touches.requests],
    )
    observe(BatchPoint.READ)
    outcomes = [_outcome(rows, call) for call in calls]
    observe(BatchPoint.STAGED)
    rows.flush()
    observe(BatchPoint.BEFORE_COMMIT)
    return outcomes


def read(connection: Connection, work: Callable[[LedgerRows], Any]) -> Any:  # noqa: ANN401
    """Run `work`, which only reads, in the transaction of `connection`."""
    stored = StoredRows(connection)
    writer = BatchWriter(driver_of(connection), between=_nothing)
    rows = BatchRows(stored, stored.position(), writer)
    answer = rows.run(work)
    rows.flush()  # Nothing, or the database refuses: its transaction only reads.
    return answer


def _nothing() -> None:
    """Do nothing between the statements of a call that writes none."""


def _outcome(rows: BatchRows, call: Call) -> Outcome:
    try:
        return Outcome(rows.run(call.work))
    except (SQLAlchemyError, WriteRefused):
        raise  # The transaction itself is lost.
    except Exception as error:  # noqa: BLE001 - whatever it is, it is its caller's.
        return Outcome(error=error)
