"""The ledger on SQLite or PostgreSQL.

Decides which calls share a transaction, what a failed batch means for its calls, and
how long anybody waits. Refuses to decide anything about money: rows go up to the rules
and come back down (`batch`).
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Self, TypeVar

from sqlalchemy.exc import DataError

from federated_router.budget.calls import NOTHING, Touches
from federated_router.budget.port import LedgerStore
from federated_router.budget.rows import LedgerRows
from federated_router.budget.sql.batch import (
    BatchObserver,
    BatchPoint,
    Call,
    read,
    run_batch,
)
from federated_router.budget.sql.group_commit import GroupCommit, GroupLimits, Outcome
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database, TransactionObserver, unavailable
from federated_router.kit.database_address import Isolation
from federated_router.kit.errors import Internal, StoreUnavailable
from federated_router.kit.log import get_logger

T = TypeVar("T")
MIGRATIONS: Final = "federated_router.budget.migrations"
# Every statement looks rows up by key. The planner of PostgreSQL reads whole tables
# where it finds them small, and would keep to that plan while they grow.
BY_INDEX: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
log = get_logger("ledger")


class SqlLedgerStore(LedgerStore):
    """A ledger that outlives the process; several processes may share it."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        limits: GroupLimits,
        observe: TransactionObserver | None = None,
        observe_batch: BatchObserver | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self._database = database
        self._observe = observe
        self._observe_batch = observe_batch or _ignore
        self._writes: GroupCommit[Call] = GroupCommit(self._run, limits)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        timeout_s: float = 5.0,
        queue_max: int = 4096,
        batch_max: int = 128,
        observe: TransactionObserver | None = None,
        observe_batch: BatchObserver | None = None,
    ) -> Self:
        """Create or upgrade the ledger at `url`; errors as `Database.open`.

        `timeout_s` bounds each call, its wait for others included. `queue_max` calls
        may wait, and `batch_max` share a transaction.
        """
        database = await Database.open(
            url,
            migrations=MIGRATIONS,
            timeout_s=timeout_s,
            isolation=Isolation.READ_COMMITTED,
            server_settings=BY_INDEX,
            observe=observe,
        )
        return cls(
            database=database,
            clock=clock,
            limits=GroupLimits(
                queue_max=queue_max, batch_max=batch_max, timeout_s=timeout_s
            ),
            observe=observe,
            observe_batch=observe_batch,
        )

    async def close(self) -> None:
        """Close every connection, after what was asked has run."""
        await self._writes.close()
        await self._database.close()

    async def _write(
        self, name: str, work: Callable[[LedgerRows], T], touches: Touches = NOTHING
    ) -> T:
        began_s = time.perf_counter()
        try:
            answer: T = await self._writes.submit(Call(name, work, touches))
        except TimeoutError as error:
            raise unavailable(name, error) from error
        finally:
            if self._observe is not None:
                self._observe(name, time.perf_counter() - began_s)
        return answer

    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        async with self._database.read(name) as connection:
            return await connection.run_sync(read, work)

    async def _run(self, calls: Sequence[Call]) -> Sequence[Outcome]:
        """Run a batch; where the database refuses what it writes, each call alone."""
        try:
            return await self._transaction(calls)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, DataError):
                return [Outcome(error=_told_to(call, error)) for call in calls]
        except Exception as error:  # noqa: BLE001 - whatever one of them cannot write.
            log.warning("batch refused", calls=len(calls), error=type(error).__name__)
        return [await self._alone(call) for call in calls]

    async def _alone(self, call: Call) -> Outcome:
        try:
            (outcome,) = await self._transaction([call])
        except StoreUnavailable as error:
            refused = isinstance(error.__cause__, DataError)
            return Outcome(error=_refused(error) if refused else _told_to(call, error))
        except Exception as error:  # noqa: BLE001 - as above, and now its own.
            return Outcome(error=_refused(error))
        return outcome

    async def _transaction(self, calls: Sequence[Call]) -> Sequence[Outcome]:
        outcomes = await self._database.write(
            "ledger.batch", partial(run_batch, calls=calls, observe=self._observe_batch)
        )
        self._observe_batch(BatchPoint.AFTER_COMMIT)
        return outcomes


def _refused(cause: Exception) -> Internal:
    error = Internal("The ledger refused a change that its rules allow.")
    error.__cause__ = cause
    return error


def _told_to(call: Call, cause: StoreUnavailable) -> StoreUnavailable:
    """Return the failure of the batch as one call is told it."""
    error = StoreUnavailable(
        cause.message,
        metadata={**cause.metadata, "transaction": call.name},
        retry_after_s=cause.retry_after_s,
    )
    error.__cause__ = cause
    return error


def _ignore(point: BatchPoint) -> None:
    del point
