"""The ledger in memory: for tests and for trying things out, gone with the process.

Decides nothing that the rules do not; refuses to be durable. It passes the conformance
tests of the ledger on a database.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TypeVar

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.entries import Entry, NumberedEntry
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Owner,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.rows import (
    AccountPage,
    LedgerRows,
    ReservationPage,
    reservation_number,
)
from federated_router.kit.clock import Clock
from federated_router.kit.errors import Internal

T = TypeVar("T")


class MemoryLedgerStore(LedgerStore):
    """A ledger whose transactions run one after the other on dictionaries."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._rows = MemoryLedgerRows()
        self._one_at_a_time = asyncio.Lock()

    async def _write(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        # The transactions decide before they write, so that an error writes nothing.
        del name
        async with self._one_at_a_time:
            return work(self._rows)

    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        return await self._write(name, work)


class MemoryLedgerRows:
    """Rows in dictionaries, in the order in which they were inserted."""

    def __init__(self) -> None:
        self._accounts: dict[AccountName, Account] = {}
        self._reservations: dict[RequestId, Reservation] = {}
        self._entries: list[Entry] = []

    def accounts(self, names: Iterable[AccountName]) -> Mapping[AccountName, Account]:
        """Return those of the accounts that exist."""
        return {name: self._accounts[name] for name in names if name in self._accounts}

    def insert_account(self, account: Account) -> None:
        """Store a new account."""
        self._accounts[account.name] = account

    def save_account(self, before: Account, after: Account) -> None:
        """Replace a balance."""
        if self._accounts[before.name] != before:
            raise Internal("A balance moved inside a transaction.")
        self._accounts[after.name] = after

    def reservation(self, request_id: RequestId) -> Reservation | None:
        """Return the reservation of this request."""
        return self._reservations.get(request_id)

    def insert_reservation(self, reservation: Reservation) -> None:
        """Store a new reservation."""
        self._reservations[reservation.request_id] = reservation

    def save_reservation(self, reservation: Reservation) -> None:
        """Replace a reservation."""
        self._reservations[reservation.request_id] = reservation

    def append(self, entry: Entry) -> None:
        """Add an entry."""
        self._entries.append(entry)

    def holders(self, name: AccountName, *, count_max: int) -> tuple[RequestId, ...]:
        """Return the requests that hold a part of the account."""
        holds = (
            hold.request_id
            for hold in self._held()
            if any(charge.account == name for charge in hold.charges)
        )
        return tuple(islice(holds, count_max))

    def due(self, now_s: float, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds whose lease is over."""
        due = (hold for hold in self._held() if hold.lease_expires_s <= now_s)
        return tuple(islice(due, count_max))

    def orphans(self, owner: Owner, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds of earlier boots."""
        left = (
            hold
            for hold in self._held()
            if hold.owner.instance == owner.instance and hold.owner != owner
        )
        return tuple(islice(left, count_max))

    def account_page(self, *, size: int, token: str) -> AccountPage:
        """Return the accounts whose names follow the token."""
        names = sorted(name for name in self._accounts if name > token)
        page = tuple(self._accounts[name] for name in names[:size])
        return AccountPage(page, page[-1].name if len(names) > size else "")

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations, newest first."""
        before = reservation_number(token)
        found = [
            (number, reservation)
            for number, reservation in enumerate(self._reservations.values(), start=1)
            if (before is None or number < before)
            and any(charge.account == name for charge in reservation.charges)
        ]
        page = found[::-1][:size]
        more = len(found) > size
        return ReservationPage(
            tuple(reservation for _, reservation in page),
            str(page[-1][0]) if more else "",
        )

    def entries(self, *, after: int, count_max: int) -> tuple[NumberedEntry, ...]:
        """Return entries with larger numbers."""
        page = self._entries[after : after + count_max]
        return tuple(
            NumberedEntry(number, entry)
            for number, entry in enumerate(page, start=after + 1)
        )

    def _held(self) -> Iterable[Reservation]:
        return (
            reservation
            for reservation in self._reservations.values()
            if reservation.state is ReservationState.RESERVED
        )
