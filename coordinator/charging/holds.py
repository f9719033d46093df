"""Charges rounds to the federation's account in the coordinator's ledger.

Decides the order between the two stores: hold, then store the roster; charge, then
store that the sum may be opened; store the end, then release. A coordinator killed
between any two may have charged a round that was not opened, and never opened one that
was not charged. Refuses to know how rounds move and what they cost (`price`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from coordinator.charging import metrics, price
from coordinator.charging.price import HoldFate, RoundPrice
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.terms import Terms
from federated_router.budget import ledger as rules
from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.exhaustion import Shortfall, exhausted
from federated_router.budget.ledger import LEASE_S_MAX, ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    FieldInvalid,
    NotFound,
    NotNow,
    QueueFull,
    RoundUnknown,
    StoreUnavailable,
)
from federated_router.kit.log import get_logger
from federated_router.privacy.measure import Measure

HOLDS_SEEN: Final = 100
"""Newest reservations that are looked through for holds of ended rounds; older holds
are charged in full when their leases are over."""

_log = get_logger("charges")
_CHARGED: Final = frozenset({ReservationState.COMMITTED, ReservationState.EXPIRED})
Find = Callable[[RoundName], Awaitable[Round]]
"""Returns a stored round; raises RoundUnknown."""

OWNER: Final = Owner(instance="coordinator", boot="rounds")
"""The holder of every round's hold, the same for all lives and all coordinators.

Whoever takes the rounds up settles their holds; that one process at a time moves a
round is the round store's to see to.
"""


class LedgerCharges:
    """`Charges` on one account."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        account: AccountName,
        lease_margin_s: float,
        find: Find,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._account = account
        self._lease_margin_s = lease_margin_s
        self._find = find
        self._clock = clock

    async def admit(self, terms: Terms) -> None:
        """Refuse a round whose smallest roster would already cost too much."""
        async with _ledger_answers():
            account = await self._ledger.get_account(self._account)
        rules.check_open(account)
        needed = price.least_price(terms, _measure(account)).units
        if needed > account.free_units:
            raise exhausted(Shortfall(account, needed), held_by=())

    async def secure(self, before: Round, after: Round) -> Round:
        """Hold on the way into COLLECTING, charge on the way into OPENING."""
        if after.state is before.state or after.ended:
            return after
        async with _ledger_answers():
            if after.state is State.COLLECTING:
                return await self._hold(after)
            if after.state is State.OPENING:
                return await self._charge(after)
        return after

    async def settle(self, newest: Round | None) -> None:
        """Settle what ended rounds hold; extend the lease of the newest, if it runs."""
        async with _ledger_answers():
            page = await self._ledger.list_reservations(
                self._account, page_size=HOLDS_SEEN
            )
            for one in page.reservations:
                if one.state is ReservationState.RESERVED:
                    await self._settle(one, newest)
            metrics.tell(await self._ledger.get_account(self._account))

    async def _hold(self, round_: Round) -> Round:
        account = await self._ledger.get_account(self._account)
        cost = price.price_of(round_, _measure(account))
        hold = price.hold_id(round_.name, cost)
        answer = await self._ledger.reserve(self._request(round_, hold, cost))
        if answer.reservation.state is ReservationState.RELEASED:
            raise NotNow(
                "What was held for this round has been released.",
                metadata={"reservation": hold},
            )
        name = price.reservation_name(self._account, hold)
        return replace(round_, reservation=name)

    def _request(
        self, round_: Round, hold: RequestId, cost: RoundPrice
    ) -> ReserveRequest:
        return ReserveRequest(
            request_id=hold,
            body_digest=price.body_digest(round_.name, cost),
            owner=OWNER,
            charges=(Charge(self._account, cost.units),),
            steps_max=1,
            lease_s=self._lease_s(round_),
            event=cost.event,
        )

    async def _charge(self, round_: Round) -> Round:
        """Charge in full; a hold whose lease was over has been charged already.

        A round that began before rounds were charged is held now, or not opened.
        """
        held = round_ if round_.reservation else await self._hold(round_)
        hold = price.held_by(held.reservation)
        known = await self._ledger.get_reservation(hold)
        if known.state not in _CHARGED:
            await self._ledger.commit(hold, owner=OWNER, steps=1)
        return held

    async def _settle(self, hold: Reservation, newest: Round | None) -> None:
        round_ = await self._round(hold.request_id, newest)
        match price.fate_of(hold.request_id, round_):
            case HoldFate.CHARGE:
                await self._ledger.commit(hold.request_id, owner=OWNER, steps=1)
            case HoldFate.RELEASE:
                await self._ledger.release(
                    hold.request_id,
                    owner=OWNER,
                    cause=ReleaseCause.ROUND_NOT_OPENED,
                )
            case HoldFate.KEEP if round_ is not None:
                await self._ledger.extend_lease(
                    hold.request_id, owner=OWNER, lease_s=self._lease_s(round_)
                )
            case _:
                _log.warning("hold of an unknown round", hold=hold.request_id)

    async def _round(self, hold: RequestId, newest: Round | None) -> Round | None:
        try:
            name = price.round_of(hold)
            if newest is not None and newest.name == name:
                return newest
            return await self._find(name)
        except (FieldInvalid, RoundUnknown):
            return None

    def _lease_s(self, round_: Round) -> float:
        """Return how long the round may last yet, and the margin."""
        states = round_.terms.durations
        left_s = max(0.0, round_.deadline_s - self._clock.now_s())
        longest_s = left_s + sum(states.of(state) for state in _BEFORE_OPENING)
        return min(longest_s + self._lease_margin_s, LEASE_S_MAX)


_BEFORE_OPENING: Final = tuple(
    state
    for state in State
    if state.name in {"REVEALING", "COLLECTING", "CHECKING", "SUMMING"}
)


def _measure(account: Account) -> Measure:
    return Measure(account.terms.order)


@asynccontextmanager
async def _ledger_answers() -> AsyncIterator[None]:
    """Turn a full queue into an outage, and a missing account into a refusal."""
    try:
        yield
    except QueueFull as error:
        raise StoreUnavailable(
            "The ledger's queue is full; try again.", retry_after_s=1.0
        ) from error
    except NotFound as error:
        raise NotNow(
            f"The ledger does not know what rounds are charged to: {error.message}",
            metadata=error.metadata,
        ) from error
