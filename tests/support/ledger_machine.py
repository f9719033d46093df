"""Random histories of the ledger against its model."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from federated_router.budget.accounts import AccountName
from federated_router.budget.blocks import block_terms
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    AccountClosed,
    BudgetExhausted,
    FieldInvalid,
    NotNow,
    SecondPersonNeeded,
)
from tests.support.ledger_model import (
    BLOCK,
    CAPPED,
    DAILY,
    DAY_S,
    FOREVER,
    LIMITS,
    TERMS,
    LedgerModel,
    ModelRequest,
)
from tests.support.ledger_world import (
    NOON_S,
    Balance,
    assert_chained,
    balance,
    balances_told_by,
    journal,
    request,
)

units = st.integers(min_value=1, max_value=12)
leases_s = st.sampled_from([10.0, 1000.0, 80_000.0])


class LedgerMachine(RuleBasedStateMachine):
    """Reserve, settle, renew, close, crash, wait and jump, in any order."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(NOON_S)
        self.model = LedgerModel(NOON_S)
        self.boot = 0
        self.count = 0
        self.store = self.run(self.open_store())
        for one in TERMS:
            self.run(self.store.create_account(one))

    async def open_store(self) -> LedgerStore:
        """Return an empty ledger; each machine says which."""
        raise AssertionError

    def run(self, work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns.
        """Run one call of the store to its end."""
        return self.runner.run(work)

    def owner(self) -> Owner:
        """Return the router process that lives now."""
        return Owner("router-1", f"boot-{self.boot}")

    def asked(
        self,
        charges: dict[AccountName, int],
        steps_max: int,
        lease_s: float,
        steps_bound: int | None = None,
    ) -> ReserveRequest:
        """Return a new request; it opens the block if nobody did."""
        self.count += 1
        return request(
            f"r{self.count}",
            charges=tuple(charges.items()),
            steps_max=steps_max,
            lease_s=lease_s,
            owner=self.owner(),
            body=f"r{self.count}",
            opens=(block_terms(TERMS[0], BLOCK),) if BLOCK in charges else (),
            steps_bound=steps_bound,
        )

    def expect(self, asked: ReserveRequest) -> bool:
        """Return whether the model admits the request, and hold it there if so."""
        charges = {one.account: one.units_per_step for one in asked.charges}
        if not self.model.admits(charges, asked.steps_max):
            return False
        self.model.reserve(
            asked.request_id,
            ModelRequest(
                owner=self.owner().boot,
                units=charges,
                steps=asked.steps_max,
                bound=asked.steps_bound or asked.steps_max,
                lease_s=self.clock.now_s() + asked.lease_s,
            ),
        )
        return True

    @rule(
        target=requests,
        names=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1),
        cost=units,
        steps_max=units,
        lease_s=leases_s,
        first=st.none() | units,
    )
    def reserve(
        self,
        names: set[AccountName],
        cost: int,
        steps_max: int,
        lease_s: float,
        first: int | None,
    ) -> str:
        """Ask for a hold; the model knows whether it fits."""
        charges = {name: cost + place for place, name in enumerate(sorted(names))}
        bound = None if first is None else min(first, steps_max)
        asked = self.asked(charges, steps_max, lease_s, bound)
        if self.expect(asked):
            answer = self.run(self.store.reserve(asked))
            assert answer.outcome is ReserveOutcome.OPENED
            return asked.request_id
        with pytest.raises((BudgetExhausted, AccountClosed)):
            self.run(self.store.reserve(asked))
        return ""

    @rule(costs=st.lists(st.tuples(units, units), min_size=2, max_size=5))
    def reserve_together(self, costs: list[tuple[int, int]]) -> None:
        """Ask for several holds at once: they are served in the order they came."""
        together = [
            self.asked({FOREVER: cost, CAPPED: cost + 1}, steps_max, 1000.0)
            for cost, steps_max in costs
        ]
        expected = [self.expect(asked) for asked in together]

        async def ask() -> list[object]:
            calls = (self.store.reserve(asked) for asked in together)
            return await asyncio.gather(*calls, return_exceptions=True)

        answers = self.run(ask())
        assert [not isinstance(one, Exception) for one in answers] == expected

    @rule(request_id=requests)
    def repeat(self, request_id: str) -> None:
        """Ask again: a repeated request learns where the first one stands."""
        if not request_id:
            return
        again = request(
            request_id, charges=((FOREVER, 1),), owner=self.owner(), body=request_id
        )

        answer = self.run(self.store.reserve(again))

        assert answer.outcome is ReserveOutcome.REPLAYED
        assert answer.reservation.state is self.model.requests[request_id].state

    @rule(request_id=requests, share=st.floats(min_value=0.0, max_value=1.0))
    def commit(self, request_id: str, share: float) -> None:
        """Charge a part of what was allowed; a settled or foreign hold refuses."""
        if not request_id:
            return
        held = self.run(self.store.get_reservation(RequestId(request_id)))
        steps = max(1, round(share * held.steps_bound))
        call = self.store.commit(RequestId(request_id), owner=self.owner(), steps=steps)
        same = held.state is ReservationState.COMMITTED and steps == held.steps_charged
        if self.settles(request_id, held, call, same=same):
            self.model.settle(request_id, steps, ReservationState.COMMITTED)

    @rule(request_id=requests, steps=st.integers(min_value=-1, max_value=14))
    def bound(self, request_id: str, steps: int) -> None:
        """Allow more steps: never fewer, never more than held, only by the holder."""
        if not request_id:
            return
        one = self.model.requests[request_id]
        held = self.run(self.store.get_reservation(RequestId(request_id)))
        assert held.steps_bound == one.bound
        call = self.store.bound(RequestId(request_id), owner=self.owner(), steps=steps)
        if not one.is_held or one.owner != self.owner().boot:
            with pytest.raises(NotNow):
                self.run(call)
        elif not 1 <= steps <= one.steps:
            with pytest.raises(FieldInvalid):
                self.run(call)
        else:
            one.bound = max(one.bound, steps)
            assert self.run(call).steps_bound == one.bound

    @rule(request_id=requests, more=units)
    def commit_beyond_the_bound(self, request_id: str, more: int) -> None:
        """More than was allowed was never taken: such a count is refused."""
        if not request_id:
            return
        one = self.model.requests[request_id]
        steps = one.bound + more
        call = self.store.commit(RequestId(request_id), owner=self.owner(), steps=steps)
        with pytest.raises((FieldInvalid, NotNow)):
            self.run(call)

    @rule(request_id=consumes(requests))
    def release(self, request_id: str) -> None:
        """Free the hold; a charged or foreign one refuses."""
        if not request_id:
            return
        held = self.run(self.store.get_reservation(RequestId(request_id)))
        call = self.store.release(
            RequestId(request_id), owner=self.owner(), cause=ReleaseCause.QUEUE_FULL
        )
        same = held.state is ReservationState.RELEASED
        if self.settles(request_id, held, call, same=same):
            self.model.settle(request_id, 0, ReservationState.RELEASED)

    def settles(
        self,
        request_id: str,
        held: Reservation,
        call: Any,  # noqa: ANN401 - a coroutine.
        *,
        same: bool,
    ) -> bool:
        """Make the call; return whether it moved anything, as the model has it."""
        one = self.model.requests[request_id]
        if one.is_held and one.owner == self.owner().boot:
            self.run(call)
            return True
        if same:
            assert self.run(call) == held
            return False
        with pytest.raises(NotNow):
            self.run(call)
        return False

    @rule(name=st.sampled_from(sorted(LIMITS)))
    def renew_early(self, name: AccountName) -> None:
        """Two people begin a new window; one alone cannot."""
        if name not in self.model.accounts or self.model.accounts[name].closed:
            return
        proposal = self.run(
            self.store.propose_renewal(
                name, operator="ann", reason="More is needed.", lasts_s=60.0
            )
        )
        told = {"proposal_id": proposal.proposal_id}
        with pytest.raises(SecondPersonNeeded):
            self.run(self.store.approve_renewal(name, operator="ann", **told))
        self.run(self.store.approve_renewal(name, operator="ben", **told))
        self.model.renew_early(name)

    @rule(name=st.sampled_from([DAILY, CAPPED, BLOCK]))
    def close(self, name: AccountName) -> None:
        """Close an account for ever; what it holds still settles."""
        if name in self.model.accounts:
            self.run(self.store.close_account(name, operator="ann", reason="Done."))
            self.model.accounts[name].closed = True

    @rule(seconds=st.sampled_from([1, 100, 5000, DAY_S, 10 * DAY_S, -100, -DAY_S]))
    def let_time_pass(self, seconds: int) -> None:
        """Move the clock, also back."""
        self.run(self.clock.advance(seconds))
        self.model.now_s = self.clock.now_s()

    @rule()
    def expire(self) -> None:
        """Charge up to its bound what is past its lease, and only that."""
        self.expired(self.model.due(), self.run(self.store.expire_due()))

    @rule()
    def restart(self) -> None:
        """Lose the process; its successor settles what it left."""
        self.boot += 1
        settled = self.run(self.store.settle_orphans(self.owner()))
        self.expired(self.model.held(), settled)

    def expired(self, expected: set[str], settled: tuple[Reservation, ...]) -> None:
        """Settle in the model what the store has charged up to its bound."""
        assert {hold.request_id for hold in settled} == expected
        for request_id in expected:
            steps = self.model.requests[request_id].bound
            self.model.settle(request_id, steps, ReservationState.EXPIRED)

    @invariant()
    def balances_are_those_of_the_model_and_never_over(self) -> None:
        """Conservation: spent, held and free make the limit, and none is negative."""
        for name, account in self.model.accounts.items():
            held, spent = sum(account.held.values()), self.model.spent(name)
            stored = self.run(self.store.get_account(name))
            assert Balance.of(stored) == Balance(spent, held, account.lifetime)
            assert stored.free_units == self.model.free(name) >= 0
            assert (stored.closed_time_s is not None) == account.closed
            assert spent + held + stored.free_units <= LIMITS[name]
            if name != CAPPED:
                assert spent + held + stored.free_units == LIMITS[name]

    def teardown(self) -> None:
        """Verify the chain, compare the journal with the balances, and close."""
        try:
            self.run(assert_chained(self.store))
            told = balances_told_by(self.run(journal(self.store)))
            assert told.keys() == self.model.accounts.keys()
            for name, lived in told.items():
                found = self.run(balance(self.store, AccountName(name)))
                assert found.reserved_units == lived.reserved_units
                assert found.lifetime_units == lived.lifetime_units
        finally:
            self.run(self.close_store())
            self.runner.close()

    async def close_store(self) -> None:
        """Leave nothing open."""


class MemoryMachine(LedgerMachine):
    """The history on dictionaries."""

    async def open_store(self) -> LedgerStore:
        """Return a ledger in memory."""
        return MemoryLedgerStore(clock=self.clock)


QUICK = settings(
    deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
