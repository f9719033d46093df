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
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry, ChainHead
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.entries import Entry
from federated_router.budget.proposal import Proposal
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


@dataclass(frozen=True, slots=True)
class Spending:
    """What an account was charged for one event: steps, requests and units."""

    event: str
    steps: int
    requests: int
    units: int


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

    def account_page(self, *, prefix: str, size: int, token: str) -> AccountPage:
        """Return accounts whose names begin so, after the page that gave `token`."""
        ...

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations after those of that page."""
        ...

    def head(self) -> ChainHead:
        """Return the last place of the journal's chain."""
        ...

    def entries(self, *, after: int, count_max: int) -> tuple[ChainedEntry, ...]:
        """Return journal entries after that place, in order."""
        ...

    def insert_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint of an entry that has none."""
        ...

    def checkpoints(self, *, after: int, count_max: int) -> tuple[Checkpoint, ...]:
        """Return checkpoints of entries after that place, in order."""
        ...

    def last_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the latest place."""
        ...

    def proposal(self, name: AccountName) -> Proposal | None:
        """Return the account's waiting proposal."""
        ...

    def save_proposal(self, proposal: Proposal) -> None:
        """Store a proposal in place of the account's earlier one."""
        ...

    def delete_proposal(self, name: AccountName) -> None:
        """Forget the account's proposal."""
        ...

    def insert_answer(self, answer: Answer) -> None:
        """Store the answer of a request that has none."""
        ...

    def answer(self, request_id: RequestId, *, now_s: float) -> Answer | None:
        """Return the request's answer unless it has expired."""
        ...

    def cached_answer(self, cache_key: bytes, *, now_s: float) -> Answer | None:
        """Return the newest answer under the key that has not expired."""
        ...

    def delete_answers(self, *, now_s: float, bytes_max: int, count_max: int) -> int:
        """Delete expired answers, then the oldest beyond `bytes_max`; return how many.

        At most `count_max` go at once.
        """
        ...

    def spending(self, name: AccountName, *, since_s: float) -> tuple[Spending, ...]:
        """Return what was charged by requests settled since then, by event.

        Requests that still hold are not counted.
        """
        ...

    def dearest(
        self, name: AccountName, *, since_s: float, count_max: int
    ) -> tuple[Reservation, ...]:
        """Return the requests settled since then that charged most, dearest first."""
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
