"""The report on one account: what its charges add up to, theorem by theorem.

Decides which figure is the account's own and what is said where another one cannot be
given. Refuses to know how losses compose (`privacy.report`), and to decide anything by
a figure.

The row of the account's own measure comes from the ledger's integers, so it counts
every charge. The other rows are derived from the stored events; where one of them
cannot be read they have no figure at all, because a sum that leaves something out would
be a lie.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.budget.accounts import Account, AccountName, account_kind
from federated_router.budget.messages import account_message, reservation_message
from federated_router.budget.port import LedgerStore
from federated_router.budget.record_calls import SpendingReport
from federated_router.budget.rows import Spending
from federated_router.kit.errors import FieldInvalid, LimitReached
from federated_router.privacy.measure import Measure, epsilon_of
from federated_router.privacy.report import Composition, compositions
from federated_router.privacy.step import Step
from federated_router.privacy.step_text import step_of

DEAREST_MAX: Final = 20
"""Requests that a report names; each may list a thousand accounts."""
RUNNING_MAX: Final = 2
"""Reports that are computed at once; each takes a thread."""
TIME_S: Final = 20.0
"""How long figures may take; a report without them is given instead."""
METHODS: Final = ("zcdp", "rdp", "pld", "basic", "advanced")
_UNREAD_TOLD_MAX: Final = 3
_EVENT_TOLD_LENGTH: Final = 100

Figures = tuple[tuple[Composition, ...], str]
_running = threading.BoundedSemaphore(RUNNING_MAX)


@dataclass(frozen=True, slots=True)
class ReadSpending:
    """Charges whose event was understood, and the others with the reason."""

    steps: tuple[tuple[Step, int], ...]
    unread: tuple[tuple[Spending, str], ...]

    @classmethod
    def of(cls, spending: Iterable[Spending]) -> "ReadSpending":
        """Read every event."""
        steps: list[tuple[Step, int]] = []
        unread: list[tuple[Spending, str]] = []
        for one in spending:
            try:
                steps.append((step_of(one.event), one.steps))
            except FieldInvalid as error:
                unread.append((one, error.message))
        return cls(tuple(steps), tuple(unread))


async def report_account(
    ledger: LedgerStore, request: pb.ReportAccountRequest
) -> pb.ReportAccountResponse:
    """Return what an account was charged in this window, or over its lifetime.

    Raises:
        FieldInvalid, AccountUnknown: no such account.
        LimitReached: as many reports are being computed as may be.
    """
    account_kind(request.name)
    name = AccountName(request.name)
    report = await ledger.report(name, lifetime=request.lifetime, count_max=DEAREST_MAX)
    figures, gap = await _in_thread(
        partial(figures_of, report, lifetime=request.lifetime)
    )
    return pb.ReportAccountResponse(
        account=account_message(report.account),
        compositions=rows(report.account, figures, gap, lifetime=request.lifetime),
        top_reservations=[reservation_message(one, name) for one in report.dearest],
        requests=sum(one.requests for one in report.spending),
    )


def figures_of(report: SpendingReport, *, lifetime: bool) -> Figures:
    """Return what the events compose to, and what they do not tell of the charges."""
    read = ReadSpending.of(report.spending)
    gap = _gap(report, read, lifetime=lifetime)
    if gap:
        return _absent(gap), gap
    return compositions(read.steps, delta=report.account.terms.delta), ""


def rows(
    account: Account, figures: Iterable[Composition], gap: str, *, lifetime: bool
) -> list[pb.Composition]:
    """Return the account's own row first, then the others as they were computed.

    `gap` says what the stored events do not tell; empty where they tell everything.
    """
    own = own_method(account)
    by_method = {figure.method: figure for figure in figures}
    beside = by_method.pop(own, None)
    first = pb.Composition(
        method=own,
        epsilon=_epsilon(account, _own_units(account, lifetime=lifetime)),
        note=_own_note(account, beside, gap, lifetime=lifetime),
    )
    return [first, *(_message(one) for one in by_method.values())]


def _message(one: Composition) -> pb.Composition:
    # Its own note says that the gate adds it up, which is so in accounts of zCDP.
    foreign = one.method == "zcdp" and one.epsilon is not None
    note = "an estimate; this account is not kept in zCDP" if foreign else one.note
    return pb.Composition(method=one.method, epsilon=one.epsilon, note=note)


def own_method(account: Account) -> str:
    """Return the name of the measure that the account is kept in."""
    return "zcdp" if account.terms.order is None else "rdp"


def _own_units(account: Account, *, lifetime: bool) -> int:
    return account.lifetime_units if lifetime else account.spent_units


def _epsilon(account: Account, units: int) -> float:
    terms = account.terms
    return epsilon_of(units, Measure(terms.order), delta=terms.delta)


def _own_note(
    account: Account, beside: Composition | None, gap: str, *, lifetime: bool
) -> str:
    order = account.terms.order
    parts = [
        "what the gate adds up, every charge included",
        _limit_note(account, lifetime=lifetime),
    ]
    if order is not None:
        parts.append(f"at order {order:.3f}, frozen when the account was created")
    if order is not None and beside is not None and beside.epsilon is not None:
        parts.append(f"the best of many orders gives {beside.epsilon:.3f}, an estimate")
    if gap:
        parts.append(gap)
    return "; ".join(parts)


def _limit_note(account: Account, *, lifetime: bool) -> str:
    terms = account.terms
    units = terms.lifetime_cap_units if lifetime else terms.limit_units
    if units is None:
        return "no lifetime cap, so no theorem bounds it: every window adds its limit"
    of = "all windows" if lifetime else "a window"
    limit = f"epsilon {_epsilon(account, units):.4g} over {of}"
    if not account.kind.is_guarantee:
        return f"a quota of {limit}, which is no guarantee about any record"
    return f"the theorem is the limit, {limit}; spent so far is an estimate"


def _gap(report: SpendingReport, read: ReadSpending, *, lifetime: bool) -> str:
    """Return what the events do not tell of the charges; empty if they tell all."""
    parts = []
    if read.unread:
        requests = sum(one.requests for one, _ in read.unread)
        told = ", ".join(
            f"{one.event[:_EVENT_TOLD_LENGTH]} ({why})"
            for one, why in read.unread[:_UNREAD_TOLD_MAX]
        )
        more = len(read.unread) - _UNREAD_TOLD_MAX
        others = f" and {more} more" if more > 0 else ""
        which = "request has an event" if requests == 1 else "requests have events"
        parts.append(f"{requests:,} {which} not known here: {told}{others}")
    known = sum(one.units for one in report.spending)
    unknown = _own_units(report.account, lifetime=lifetime) - known
    if unknown:
        parts.append(
            f"{unknown:,} units were settled outside the window's times, as after a "
            "clock went back"
        )
    return "; ".join(parts)


def _absent(why: str) -> tuple[Composition, ...]:
    return tuple(
        Composition(method, None, f"not computed: {why}") for method in METHODS
    )


async def _in_thread(work: Callable[[], Figures]) -> Figures:
    """Run `work` in a thread; after `TIME_S` give up, and let it end by itself."""
    if not _running.acquire(blocking=False):
        raise LimitReached(
            f"{RUNNING_MAX} reports are being computed; ask again in a moment.",
            retry_after_s=1.0,
        )
    running = asyncio.get_running_loop().run_in_executor(None, _release_after, work)
    try:
        return await asyncio.wait_for(asyncio.shield(running), TIME_S)
    except TimeoutError:
        return _absent(f"it would take longer than {TIME_S:g} s"), ""


def _release_after(work: Callable[[], Figures]) -> Figures:
    try:
        return work()
    finally:
        _running.release()
