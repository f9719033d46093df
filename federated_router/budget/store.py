"""The ledger on SQLite or PostgreSQL.

Decides what is locked and when statements run. Refuses to decide anything about money:
rows go up to the rules and come back down. A write locks what it reads (SQLite: the
whole database, by BEGIN IMMEDIATE; PostgreSQL: FOR UPDATE, in order of name, so that
READ COMMITTED suffices and routers that share an account wait in line). A balance is
written only if it still is what was read and stays within its limit, whatever the
code above believes.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final, Protocol, Self, TypeVar, TypeVarTuple

from sqlalchemy import Connection, Select, insert
from sqlalchemy.exc import IntegrityError

from federated_router.budget import statements
from federated_router.budget.accounts import UNITS_MAX, Account, AccountName
from federated_router.budget.entries import Entry, NumberedEntry
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Owner, RequestId, Reservation
from federated_router.budget.rows import (
    AccountPage,
    LedgerRows,
    ReservationPage,
    reservation_number,
)
from federated_router.budget.schema import ACCOUNTS
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database, TransactionObserver
from federated_router.kit.database_address import Isolation
from federated_router.kit.errors import Internal

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
MIGRATIONS: Final = "federated_router.budget.migrations"


class Lock(Protocol):
    """How a statement that reads is made to lock what it reads."""

    def __call__(self, statement: Select[*Columns]) -> Select[*Columns]:
        """Return the statement, locking or not."""
        ...


class SqlLedgerStore(LedgerStore):
    """A ledger that outlives the process; several processes may share it."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._database = database

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        clock: Clock,
        timeout_s: float = 5.0,
        observe: TransactionObserver | None = None,
    ) -> Self:
        """Create or upgrade the ledger at `url`; errors as `Database.open`."""
        database = await Database.open(
            url,
            migrations=MIGRATIONS,
            timeout_s=timeout_s,
            isolation=Isolation.READ_COMMITTED,
            observe=observe,
        )
        return cls(database=database, clock=clock)

    async def close(self) -> None:
        """Close every connection, after the transaction that runs."""
        await self._database.close()

    async def _write(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        def run(connection: Connection) -> T:
            return work(SqlLedgerRows(connection, lock=_for_update))

        try:
            return await self._database.write(name, run)
        except IntegrityError:
            # Another process took the same id meanwhile. Now its row can be seen, and
            # the rules have an answer for it.
            return await self._write_again(name, run)

    async def _write_again(self, name: str, run: Callable[[Connection], T]) -> T:
        try:
            return await self._database.write(name, run)
        except IntegrityError as error:
            raise Internal("The ledger refused a change that its rules allow.") from (
                error
            )

    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        async with self._database.read(name) as connection:
            return await connection.run_sync(
                lambda inner: work(SqlLedgerRows(inner, lock=_no_lock))
            )


class SqlLedgerRows:
    """Rows of the ledger's tables, inside the transaction of `connection`."""

    def __init__(self, connection: Connection, *, lock: Lock) -> None:
        self._connection = connection
        self._lock = lock

    def accounts(self, names: Iterable[AccountName]) -> Mapping[AccountName, Account]:
        """Return those of the accounts that exist, locked in order of name."""
        rows = self._connection.execute(
            self._lock(statements.ACCOUNTS_BY_NAME), {"names": sorted(names)}
        )
        found = map(statements.account_of, rows)
        return {account.name: account for account in found}

    def insert_account(self, account: Account) -> None:
        """Store an account whose name is free."""
        self._connection.execute(insert(ACCOUNTS), statements.account_values(account))

    def save_account(self, before: Account, after: Account) -> None:
        """Replace the balance that was read; raise Internal if it is not there."""
        saved = self._connection.execute(
            statements.SAVE_ACCOUNT,
            {
                "of": before.name,
                "spent_before": before.spent_units,
                "reserved_before": before.reserved_units,
                "lifetime_before": before.lifetime_units,
                **statements.balance_values(after),
            },
        )
        if saved.rowcount != 1:
            raise Internal("A balance moved under its lock, or would pass its limit.")

    def reservation(self, request_id: RequestId) -> Reservation | None:
        """Return the reservation of this request, locked."""
        rows = self._connection.execute(
            self._lock(statements.RESERVATION_BY_REQUEST), {"request_id": request_id}
        )
        found = [reservation for _, reservation in statements.reservations_of(rows)]
        return found[0] if found else None

    def insert_reservation(self, reservation: Reservation) -> None:
        """Store a reservation and its charges."""
        number = self._connection.execute(
            statements.INSERT_RESERVATION, statements.reservation_values(reservation)
        ).scalar_one()
        self._connection.execute(
            statements.INSERT_CHARGES,
            [
                {
                    "number": number,
                    "account": charge.account,
                    "units_per_token": charge.units_per_token,
                }
                for charge in reservation.charges
            ],
        )

    def save_reservation(self, reservation: Reservation) -> None:
        """Replace a hold by what it became; raise Internal if it was settled."""
        saved = self._connection.execute(
            statements.SAVE_RESERVATION,
            {
                "of": reservation.request_id,
                **statements.outcome_values(reservation),
            },
        )
        if saved.rowcount != 1:
            raise Internal("A reservation was settled under its lock.")

    def append(self, entry: Entry) -> None:
        """Add an entry at the end of the journal."""
        self._connection.execute(
            statements.INSERT_ENTRY, statements.entry_values(entry)
        )

    def holders(self, name: AccountName, *, count_max: int) -> tuple[RequestId, ...]:
        """Return the requests that hold a part of the account, oldest first."""
        rows = self._connection.execute(
            statements.HOLDERS, {"name": name, "count_max": count_max}
        )
        return tuple(rows.scalars())

    def due(self, now_s: float, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds whose lease ended by `now_s`, oldest first, locked."""
        rows = self._connection.execute(
            self._lock(statements.DUE), {"now_s": now_s, "count_max": count_max}
        )
        return self._numbered(list(rows.scalars()))

    def orphans(self, owner: Owner, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds of earlier boots of the owner's instance, locked."""
        rows = self._connection.execute(
            self._lock(statements.ORPHANS),
            {
                "instance": owner.instance,
                "boot": owner.boot,
                "count_max": count_max,
            },
        )
        return self._numbered(list(rows.scalars()))

    def account_page(self, *, size: int, token: str) -> AccountPage:
        """Return the accounts after those of the page that gave `token`."""
        rows = self._connection.execute(
            statements.ACCOUNT_PAGE, {"token": token, "count_max": size + 1}
        )
        found = tuple(map(statements.account_of, rows))
        more = len(found) > size
        return AccountPage(found[:size], found[size - 1].name if more else "")

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations after those of that page, newest first."""
        before = reservation_number(token)
        rows = self._connection.execute(
            statements.NUMBERS_OF_ACCOUNT,
            {
                "name": name,
                "before": UNITS_MAX if before is None else before,
                "count_max": size + 1,
            },
        )
        numbers: list[int] = list(rows.scalars())
        more = len(numbers) > size
        return ReservationPage(
            self._numbered(numbers[:size])[::-1],
            str(numbers[size - 1]) if more else "",
        )

    def entries(self, *, after: int, count_max: int) -> tuple[NumberedEntry, ...]:
        """Return journal entries with numbers above `after`, in order."""
        rows = self._connection.execute(
            statements.ENTRIES_AFTER, {"after": after, "count_max": count_max}
        )
        return tuple(map(statements.entry_of, rows))

    def _numbered(self, numbers: list[int]) -> tuple[Reservation, ...]:
        rows = self._connection.execute(
            statements.RESERVATIONS_BY_NUMBER, {"numbers": numbers}
        )
        found = statements.reservations_of(rows)
        return tuple(reservation for _, reservation in found)


@cache
def _for_update(statement: Select[*Columns]) -> Select[*Columns]:
    # SQLite has no such clause and is sent none: its writer holds the whole database.
    return statement.with_for_update()


def _no_lock(statement: Select[*Columns]) -> Select[*Columns]:
    return statement
