"""The port between the ledger's transactions and where their rows live.

Decides which questions a transaction asks and in which form rows come back. Refuses to
know SQL. One `LedgerRows` lives as long as one transaction: what it reads stays locked
until the end where it is a write, and what it writes exists for others after the end,
or not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.entries import Entry, NumberedEntry
from federated_router.budget.reservation import Owner, RequestId, Reservation
from federated_router.kit.errors import FieldInvalid

_TOKEN_DIGITS_MAX: Final = 19


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Accounts in order of name; the token is empty on the last page."""

    accounts: tuple[Account, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ReservationPage:
    """Reservations, newest first; the token is empty on the last page."""

    reservations: tuple[Reservation, ...]
    next_page_token: str


class LedgerRows(Protocol):
    """The rows of the ledger inside one transaction."""

    def accounts(self, names: Iterable[AccountName]) -> Mapping[AccountName, Account]:
        """Return those of the accounts that exist, locked in order of name."""
        ...

    def insert_account(self, account: Account) -> None:
        """Store an account whose name is free."""
        ...

    def save_account(self, before: Account, after: Account) -> None:
        """Replace the balance that was read; fail if it is not there any more."""
        ...

    def reservation(self, request_id: RequestId) -> Reservation | None:
        """Return the reservation of this request, locked."""
        ...

    def insert_reservation(self, reservation: Reservation) -> None:
        """Store a reservation whose request id is free."""
        ...

    def save_reservation(self, reservation: Reservation) -> None:
        """Replace state, lease and outcome of a reservation."""
        ...

    def append(self, entry: Entry) -> None:
        """Add an entry at the end of the journal."""
        ...

    def holders(self, name: AccountName, *, count_max: int) -> tuple[RequestId, ...]:
        """Return the requests that hold a part of the account, oldest first."""
        ...

    def due(self, now_s: float, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds whose lease ended by `now_s`, oldest first, locked."""
        ...

    def orphans(self, owner: Owner, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds of earlier boots of the owner's instance, locked."""
        ...

    def account_page(self, *, size: int, token: str) -> AccountPage:
        """Return the accounts after those of the page that gave `token`."""
        ...

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations after those of that page."""
        ...

    def entries(self, *, after: int, count_max: int) -> tuple[NumberedEntry, ...]:
        """Return journal entries with numbers above `after`, in order."""
        ...


def reservation_number(token: str) -> int | None:
    """Return the number in a page token, None for the first page.

    Raises FieldInvalid for a token that no page gave.
    """
    if not token:
        return None
    if not (token.isascii() and token.isdecimal() and len(token) < _TOKEN_DIGITS_MAX):
        raise FieldInvalid(
            "Give the page token of the previous page, or none for the first.",
            field="page_token",
        )
    return int(token)
