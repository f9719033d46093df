"""Writes the changes of a batch with few statements.

Decides which statements put a stage into the database, and what each must have moved.
Refuses to know why something changes. What the code above believes is checked once
more: a balance is written only if it still is what was read and stays within its
limit, a reservation only if it is still held, the chain only where it ended.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import starmap
from typing import TypeVar

from sqlalchemy import Table

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.chain import ChainHead
from federated_router.budget.reservation import RequestId, Reservation
from federated_router.budget.sql import row_values
from federated_router.budget.sql.changes import Changes, Position
from federated_router.budget.sql.driver import Driver
from federated_router.budget.sql.schema import (
    ACCOUNTS,
    ANSWERS,
    CHARGES,
    CHECKPOINTS,
    ENTRIES,
    RESERVATIONS,
)
from federated_router.kit.errors import Internal

Row = TypeVar("Row")
T = TypeVar("T")


class WriteRefused(Exception):
    """A statement found other rows than were read: somebody wrote without the lock."""


class BatchWriter:
    """Puts changes into the transaction of one connection.

    `between` is called after each statement.
    """

    def __init__(self, driver: Driver, between: Callable[[], None]) -> None:
        self._driver = driver
        self._between = between

    def write(
        self,
        changes: Changes,
        accounts: Mapping[AccountName, Account | None],
        reservations: Mapping[RequestId, Reservation | None],
        *,
        before: Position,
        head: ChainHead,
    ) -> Position:
        """Write the rows that changed, as they are now; return where the ledger ends.

        Raises WriteRefused where a row is not as it was read.
        """
        self._write_accounts(changes.accounts, accounts)
        last = before.last_reservation + self._write_reservations(
            changes.reservations, reservations, before.last_reservation
        )
        self._insert(ENTRIES, map(row_values.entry_values, changes.entries))
        self._write_records(changes)
        after = Position(head, last)
        if after != before:
            sql = self._driver.sql
            self._met(self._driver.each, sql.save_chain, [_moved(before, after)])
        return after

    def _write_accounts(
        self,
        stored: Mapping[AccountName, Account | None],
        now: Mapping[AccountName, Account | None],
    ) -> None:
        pairs = [(before, _existing(now[name])) for name, before in stored.items()]
        new = (after for before, after in pairs if before is None)
        moved = [
            _balance_values(before, after)
            for before, after in pairs
            if before is not None
        ]
        self._insert(ACCOUNTS, map(row_values.account_values, new))
        self._met(self._driver.change, self._driver.sql.save_accounts, moved)

    def _write_reservations(
        self,
        stored: Mapping[RequestId, Reservation | None],
        now: Mapping[RequestId, Reservation | None],
        last: int,
    ) -> int:
        """Write reservations; return how many are new."""
        new = [_existing(now[one]) for one, before in stored.items() if before is None]
        numbered = list(enumerate(new, start=last + 1))
        settled = [
            _outcome_values(_existing(now[one]))
            for one, before in stored.items()
            if before is not None
        ]
        self._insert(RESERVATIONS, starmap(row_values.reservation_values, numbered))
        self._insert(CHARGES, _charges(numbered))
        self._met(self._driver.change, self._driver.sql.save_reservations, settled)
        return len(new)

    def _write_records(self, changes: Changes) -> None:
        driver, sql = self._driver, self._driver.sql
        self._insert(
            CHECKPOINTS, map(row_values.checkpoint_values, changes.checkpoints)
        )
        for name, proposal in changes.proposals.items():
            if proposal is None:
                driver.each(sql.delete_proposals, [(name,)])
            else:
                driver.each(sql.save_proposals, [row_values.proposal_values(proposal)])
            self._between()
        self._insert(ANSWERS, map(row_values.answer_values, changes.answers), given=1)
        self._met(driver.delete, sql.delete_answers, changes.answers_deleted)

    def _insert(
        self, table: Table, values: Iterable[row_values.Values], *, given: int = 0
    ) -> None:
        rows = list(values)
        if rows:
            self._driver.insert(table, rows, given=given)
            self._between()

    def _met(
        self, write: Callable[[str, list[Row]], int], statement: str, rows: list[Row]
    ) -> None:
        """Write rows that must all be there."""
        if not rows:
            return
        if write(statement, rows) != len(rows):
            raise WriteRefused(statement)
        self._between()


def _existing(row: T | None) -> T:
    if row is None:
        raise Internal("A row was staged and is not there.")
    return row


def _charges(numbered: list[tuple[int, Reservation]]) -> Iterator[row_values.Values]:
    for number, reservation in numbered:
        for charge in reservation.charges:
            yield (number, charge.account, charge.units_per_step)


def _balance_values(before: Account, after: Account) -> row_values.Values:
    return (
        after.window_start_s,
        after.spent_units,
        after.reserved_units,
        after.lifetime_units,
        after.closed_time_s,
        before.name,
        before.spent_units,
        before.reserved_units,
        before.lifetime_units,
        after.spent_units + after.reserved_units,
    )


def _outcome_values(reservation: Reservation) -> row_values.Values:
    return (
        reservation.lease_expires_s,
        reservation.state.value,
        reservation.steps_charged,
        reservation.cause.value if reservation.cause else None,
        reservation.settled_time_s,
        reservation.steps_bound,
        reservation.request_id,
    )


def _moved(before: Position, after: Position) -> row_values.Values:
    return (
        after.head.sequence,
        after.head.hash,
        after.last_reservation,
        before.head.sequence,
        before.last_reservation,
    )
