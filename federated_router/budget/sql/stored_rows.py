"""The ledger's rows as the database holds them, inside one transaction.

Decides which statement answers which question. Refuses to write, and to know what a
batch has staged but not written (`batch_rows`).
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Select

from federated_router.budget.accounts import UNITS_MAX, Account, AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import Owner, RequestId, Reservation
from federated_router.budget.rows import (
    AccountPage,
    ReservationPage,
    Spending,
    reservation_number,
)
from federated_router.budget.sql import records, statements
from federated_router.budget.sql.changes import Position
from federated_router.budget.sql.driver import driver_of

_BY_NUMBER_AND_ACCOUNT: Final = itemgetter(0, -2)
_LAST_CHARACTER: Final = "\U0010ffff"  # Sorts after all that a name may hold.


class StoredRows:
    """Reads rows through one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver = driver_of(connection)

    def position(self, *, locked: bool = False) -> Position:
        """Return where the ledger ends.

        `locked` keeps every other writer of the ledger out until the transaction ends.
        """
        sql = self._driver.sql
        statement = sql.locked_chain if locked else sql.chain
        return records.position_of(self._driver.one(statement))

    def accounts(self, names: Iterable[AccountName]) -> Iterator[Account]:
        """Yield those of the accounts that exist."""
        rows = self._driver.listed(self._driver.sql.accounts_by_name, list(names))
        return map(records.account_of, rows)

    def reservations(self, requests: Iterable[RequestId]) -> Iterator[Reservation]:
        """Yield those reservations of the requests that exist."""
        statement = self._driver.sql.reservations_by_request
        rows = self._driver.listed(statement, list(requests))
        # Sorted here: for the sake of the order a planner would read whole tables.
        return records.reservations_of(sorted(rows, key=_BY_NUMBER_AND_ACCOUNT))

    def holders(self, name: AccountName, *, count_max: int) -> tuple[RequestId, ...]:
        """Return the requests that hold a part of the account, oldest first."""
        return self._first(statements.HOLDERS, name=name, count_max=count_max)

    def due(self, now_s: float, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds whose lease ended by `now_s`, oldest first."""
        return self._numbered(
            self._first(statements.DUE, now_s=now_s, count_max=count_max)
        )

    def orphans(self, owner: Owner, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds of earlier boots of the owner's instance, oldest first."""
        return self._numbered(
            self._first(
                statements.ORPHANS,
                instance=owner.instance,
                boot=owner.boot,
                count_max=count_max,
            )
        )

    def account_page(self, *, prefix: str, size: int, token: str) -> AccountPage:
        """Return accounts whose names begin so, after the page that gave `token`."""
        rows = self._rows(
            statements.ACCOUNT_PAGE,
            prefix=prefix,
            beyond=prefix + _LAST_CHARACTER,
            token=token,
            count_max=size + 1,
        )
        found = tuple(map(records.account_of, rows))
        more = len(found) > size
        return AccountPage(found[:size], found[size - 1].name if more else "")

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations after those of that page, newest first."""
        before = reservation_number(token)
        numbers = self._first(
            statements.NUMBERS_OF_ACCOUNT,
            name=name,
            before=UNITS_MAX if before is None else before,
            count_max=size + 1,
        )
        more = len(numbers) > size
        return ReservationPage(
            self._numbered(numbers[:size])[::-1],
            str(numbers[size - 1]) if more else "",
        )

    def entries(self, *, after: int, count_max: int) -> tuple[ChainedEntry, ...]:
        """Return journal entries after that place, in order."""
        rows = self._rows(statements.ENTRIES_AFTER, after=after, count_max=count_max)
        return tuple(map(records.entry_of, rows))

    def checkpoints(self, *, after: int, count_max: int) -> tuple[Checkpoint, ...]:
        """Return checkpoints of entries after that place, in order."""
        rows = self._rows(
            statements.CHECKPOINTS_AFTER, after=after, count_max=count_max
        )
        return tuple(map(records.checkpoint_of, rows))

    def last_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the latest place."""
        return next(
            map(records.checkpoint_of, self._rows(statements.LAST_CHECKPOINT)), None
        )

    def proposal(self, name: AccountName) -> Proposal | None:
        """Return the account's waiting proposal."""
        rows = self._rows(statements.PROPOSAL, name=name)
        return next(map(records.proposal_of, rows), None)

    def answer(self, request_id: RequestId, *, now_s: float) -> Answer | None:
        """Return the request's answer unless it has expired."""
        rows = self._rows(statements.ANSWER, request_id=request_id, now_s=now_s)
        return next(map(records.answer_of, rows), None)

    def cached_answer(self, cache_key: bytes, *, now_s: float) -> Answer | None:
        """Return the newest answer under the key that has not expired."""
        rows = self._rows(statements.CACHED_ANSWER, cache_key=cache_key, now_s=now_s)
        return next(map(records.answer_of, rows), None)

    def answers_to_delete(
        self, *, now_s: float, bytes_max: int, count_max: int
    ) -> list[int]:
        """Return the numbers of expired answers, then of the oldest beyond the limit.

        At most `count_max`.
        """
        expired = self._rows(
            statements.EXPIRED_ANSWERS, now_s=now_s, count_max=count_max
        )
        (kept_bytes,) = self._first(statements.KEPT_BYTES)
        kept_bytes = int(kept_bytes) - sum(size for _, size in expired)
        numbers = [number for number, _ in expired]
        if kept_bytes <= bytes_max or len(numbers) == count_max:
            return numbers
        for number, size in self._rows(
            statements.OLDEST_ANSWERS, now_s=now_s, count_max=count_max - len(numbers)
        ):
            if kept_bytes <= bytes_max:
                break
            numbers.append(number)
            kept_bytes -= size
        return numbers

    def spending(self, name: AccountName, *, since_s: float) -> tuple[Spending, ...]:
        """Return what was charged by requests settled since then, by event."""
        rows = self._rows(statements.SPENDING, name=name, since_s=since_s)
        return tuple(
            Spending(event, steps=int(steps), requests=requests, units=int(units))
            for event, steps, requests, units in sorted(map(tuple, rows))
        )

    def dearest(
        self, name: AccountName, *, since_s: float, count_max: int
    ) -> tuple[Reservation, ...]:
        """Return the requests settled since then that charged most, dearest first."""
        numbers = self._first(
            statements.DEAREST, name=name, since_s=since_s, count_max=count_max
        )
        rows = self._rows(statements.RESERVATIONS_BY_NUMBER, numbers=numbers)
        order = {number: place for place, number in enumerate(numbers)}
        rows.sort(key=lambda row: order[row[0]])
        return tuple(records.reservations_of(rows))

    def _numbered(self, numbers: tuple[int, ...]) -> tuple[Reservation, ...]:
        rows = self._rows(statements.RESERVATIONS_BY_NUMBER, numbers=numbers)
        return tuple(records.reservations_of(rows))

    def _first(
        self, statement: Select[*tuple[Any, ...]], **values: object
    ) -> tuple[Any, ...]:
        return tuple(self._connection.execute(statement, values).scalars())

    def _rows(
        self, statement: Select[*tuple[Any, ...]], **values: object
    ) -> list[records.Columns]:
        return list(self._connection.execute(statement, values))
