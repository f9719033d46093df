"""The ledger in memory: for tests and for trying things out, gone with the process.

Decides nothing that the rules do not; refuses to be durable. It passes the conformance
tests of the ledger on a database.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.calls import NOTHING, Touches
from federated_router.budget.chain import (
    LEDGER_ID_BYTES,
    ChainedEntry,
    ChainHead,
    genesis,
    head_after,
    link,
)
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.entries import Entry
from federated_router.budget.port import LedgerStore
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import (
    Charge,
    Owner,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.rows import (
    AccountPage,
    LedgerRows,
    ReservationPage,
    Spending,
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

    async def _write(
        self, name: str, work: Callable[[LedgerRows], T], touches: Touches = NOTHING
    ) -> T:
        # The transactions decide before they write, so that an error writes nothing.
        del name, touches
        async with self._one_at_a_time:
            return work(self._rows)

    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        return await self._write(name, work)


class MemoryLedgerRows:
    """Rows in dictionaries, in the order in which they were inserted."""

    def __init__(self) -> None:
        self._accounts: dict[AccountName, Account] = {}
        self._reservations: dict[RequestId, Reservation] = {}
        self._entries: list[ChainedEntry] = []
        self._genesis = genesis(secrets.token_bytes(LEDGER_ID_BYTES))
        self._checkpoints: list[Checkpoint] = []
        self._proposals: dict[AccountName, Proposal] = {}
        self._answers: dict[RequestId, Answer] = {}

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
        self._entries.append(link(self.head(), entry))

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

    def account_page(self, *, prefix: str, size: int, token: str) -> AccountPage:
        """Return the accounts whose names begin so and follow the token."""
        names = sorted(
            name for name in self._accounts if name.startswith(prefix) and name > token
        )
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

    def head(self) -> ChainHead:
        """Return the last place of the chain."""
        if not self._entries:
            return self._genesis
        return head_after(self._genesis, self._entries[-1])

    def entries(self, *, after: int, count_max: int) -> tuple[ChainedEntry, ...]:
        """Return entries after that place."""
        return tuple(self._entries[after : after + count_max])

    def insert_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint."""
        self._checkpoints.append(checkpoint)

    def checkpoints(self, *, after: int, count_max: int) -> tuple[Checkpoint, ...]:
        """Return checkpoints of later entries."""
        later = (one for one in self._checkpoints if one.head.sequence > after)
        return tuple(islice(later, count_max))

    def last_checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        return self._checkpoints[-1] if self._checkpoints else None

    def proposal(self, name: AccountName) -> Proposal | None:
        """Return the waiting proposal."""
        return self._proposals.get(name)

    def save_proposal(self, proposal: Proposal) -> None:
        """Store a proposal in place of an earlier one."""
        self._proposals[proposal.account] = proposal

    def delete_proposal(self, name: AccountName) -> None:
        """Forget a proposal."""
        self._proposals.pop(name, None)

    def insert_answer(self, answer: Answer) -> None:
        """Store an answer."""
        self._answers[answer.request_id] = answer

    def answer(self, request_id: RequestId, *, now_s: float) -> Answer | None:
        """Return the request's answer unless it has expired."""
        found = self._answers.get(request_id)
        return found if found and now_s < found.expires_time_s else None

    def cached_answer(self, cache_key: bytes, *, now_s: float) -> Answer | None:
        """Return the newest answer under the key."""
        fresh = (
            answer
            for answer in reversed(self._answers.values())
            if answer.cache_key == cache_key and now_s < answer.expires_time_s
        )
        return next(fresh, None)

    def delete_answers(self, *, now_s: float, bytes_max: int, count_max: int) -> int:
        """Delete expired answers, then the oldest beyond the limit."""
        kept = sum(answer.size_bytes for answer in self._answers.values())
        deleted = 0
        expired_first = sorted(
            self._answers.values(), key=lambda answer: answer.expires_time_s > now_s
        )
        for answer in expired_first[:count_max]:
            if answer.expires_time_s > now_s and kept <= bytes_max:
                break
            del self._answers[answer.request_id]
            kept -= answer.size_bytes
            deleted += 1
        return deleted

    def spending(self, name: AccountName, *, since_s: float) -> tuple[Spending, ...]:
        """Return what was charged, by event."""
        groups: dict[str, list[tuple[int, int]]] = {}
        for one, charge in self._charged(name, since_s):
            told = (one.steps_charged, one.charged_units(charge))
            groups.setdefault(one.event, []).append(told)
        return tuple(
            Spending(
                event,
                steps=sum(steps for steps, _ in group),
                requests=len(group),
                units=sum(units for _, units in group),
            )
            for event, group in sorted(groups.items())
        )

    def dearest(
        self, name: AccountName, *, since_s: float, count_max: int
    ) -> tuple[Reservation, ...]:
        """Return the requests that charged most."""
        found = sorted(
            self._charged(name, since_s),
            key=lambda pair: pair[0].charged_units(pair[1]),
            reverse=True,
        )
        return tuple(one for one, _ in found[:count_max])

    def _charged(
        self, name: AccountName, since_s: float
    ) -> Iterator[tuple[Reservation, Charge]]:
        for one in self._reservations.values():
            settled_s = one.settled_time_s
            if settled_s is None or settled_s < since_s or not one.steps_charged:
                continue
            for charge in one.charges:
                if charge.account == name:
                    yield one, charge

    def _held(self) -> Iterable[Reservation]:
        return (
            reservation
            for reservation in self._reservations.values()
            if reservation.state is ReservationState.RESERVED
        )
