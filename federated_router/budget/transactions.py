"""What each transaction of the ledger reads, decides and writes, in that order.

Decides the order: a reservation is locked before accounts and accounts in order of
name, so that no two transactions wait for each other; everything is decided before the
first write. Refuses to know how rows are stored. Every function runs inside one
transaction, which its caller opens and ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from federated_router.budget import account_transactions, entries, ledger
from federated_router.budget.accounts import Account, AccountName, renew
from federated_router.budget.answers import Answer
from federated_router.budget.exhaustion import HELD_BY_MAX, Shortfall, exhausted
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.reservation import (
    Owner,
    RequestId,
    Reservation,
    expire,
    replay,
)
from federated_router.budget.rows import AccountPage, LedgerRows
from federated_router.kit.errors import NotFound


class ReserveOutcome(Enum):
    """Whether a reservation was made now, or was there already."""

    OPENED = "opened"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class ReserveAnswer:
    """The reservation of a request.

    Only OPENED allows to sample. REPLAYED means that somebody samples, or has sampled,
    under this id: doing it again would be two samples for one charge.
    """

    reservation: Reservation
    outcome: ReserveOutcome


def reserve(
    rows: LedgerRows, request: ReserveRequest, *, now_s: float
) -> ReserveAnswer:
    """Hold the worst case on all accounts of the request, or raise and hold none."""
    earlier = rows.reservation(request.request_id)
    if earlier is not None:
        same = replay(earlier, body_digest=request.body_digest)
        return ReserveAnswer(same, ReserveOutcome.REPLAYED)
    before = rows.accounts(charge.account for charge in request.charges)
    decision = ledger.reserve(request, before, now_s=now_s)
    if isinstance(decision, Shortfall):
        held_by = rows.holders(decision.account.name, count_max=HELD_BY_MAX)
        raise exhausted(decision, held_by=held_by)
    for name in sorted(decision.opened):
        account_transactions.insert(rows, decision.opened[name], now_s=now_s)
    rows.insert_reservation(decision.reservation)
    _save_accounts(rows, {**before, **decision.opened}, decision.accounts, now_s=now_s)
    rows.append(entries.transition(decision.reservation, now_s=now_s))
    return ReserveAnswer(decision.reservation, ReserveOutcome.OPENED)


def settle(
    rows: LedgerRows,
    request_id: RequestId,
    decide: Callable[[Reservation], Reservation],
    *,
    now_s: float,
    answer: Answer | None = None,
) -> Reservation:
    """Move a reservation to where `decide` says, and its accounts with it.

    `answer` is kept with the move, unless nothing moved.
    """
    before = reservation(rows, request_id)
    after = decide(before)
    if after != before and answer is not None:
        rows.insert_answer(answer)
    _apply(rows, before, after, now_s=now_s)
    return after


def expire_due(rows: LedgerRows, *, now_s: float, count_max: int) -> list[Reservation]:
    """Charge what can have been taken of the holds whose lease is over."""
    return _expire(rows, rows.due(now_s, count_max=count_max), now_s=now_s)


def settle_orphans(
    rows: LedgerRows, owner: Owner, *, now_s: float, count_max: int
) -> list[Reservation]:
    """Charge what can have been taken of the holds that earlier boots left."""
    return _expire(rows, rows.orphans(owner, count_max=count_max), now_s=now_s)


def account(rows: LedgerRows, name: AccountName, *, now_s: float) -> Account:
    """Return the balance in the window that holds `now_s`."""
    return renew(ledger.existing(rows.accounts([name]), name), now_s=now_s)


def account_page(
    rows: LedgerRows, *, prefix: str, size: int, token: str, now_s: float
) -> AccountPage:
    """Return a page of balances in the window that holds `now_s`."""
    page = rows.account_page(prefix=prefix, size=size, token=token)
    renewed = tuple(renew(account, now_s=now_s) for account in page.accounts)
    return replace(page, accounts=renewed)


def reservation(rows: LedgerRows, request_id: RequestId) -> Reservation:
    """Return the reservation of a request; raise NotFound where there is none."""
    existing = rows.reservation(request_id)
    if existing is None:
        raise NotFound(
            "No reservation has this request id: nothing was held or charged for it.",
            metadata={"request_id": request_id},
        )
    return existing


def _expire(
    rows: LedgerRows, holds: tuple[Reservation, ...], *, now_s: float
) -> list[Reservation]:
    # All accounts are locked at once, in order, before the first one is written.
    rows.accounts({charge.account for hold in holds for charge in hold.charges})
    expired = []
    for hold in holds:
        after = expire(hold, now_s=now_s)
        _apply(rows, hold, after, now_s=now_s)
        expired.append(after)
    return expired


def _apply(
    rows: LedgerRows, before: Reservation, after: Reservation, *, now_s: float
) -> None:
    if after == before:
        return
    rows.save_reservation(after)
    if after.steps_bound != before.steps_bound:
        rows.append(entries.bounded(after, now_s=now_s))
    if after.state is before.state:
        return
    balances = rows.accounts(charge.account for charge in before.charges)
    settled = ledger.settled_accounts(before, after, balances, now_s=now_s)
    _save_accounts(rows, balances, settled, now_s=now_s)
    rows.append(entries.transition(after, now_s=now_s))


def _save_accounts(
    rows: LedgerRows, before: ledger.Balances, after: ledger.Balances, *, now_s: float
) -> None:
    for entry in entries.renewals(before, after, now_s=now_s):
        rows.append(entry)
    for name in sorted(after):
        rows.save_account(before[name], after[name])
