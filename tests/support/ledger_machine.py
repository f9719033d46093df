"""Random histories of the ledger against a model of forty lines."""

import asyncio
from dataclasses import dataclass, field
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
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.port import LedgerStore
from federated_router.budget.renewal import RenewalPolicy
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    ReservationState,
)
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import BudgetExhausted, NotNow
from tests.support.ledger_world import (
    Balance,
    balance,
    balances_told_by,
    journal,
    request,
    terms,
)

DAY_S = 86_400
FOREVER = AccountName("accounts/dataset-forever")
DAILY = AccountName("accounts/dataset-daily")
CAPPED = AccountName("accounts/user-capped")
LIMITS = {FOREVER: 400, DAILY: 150, CAPPED: 120}
CAP = 300


@dataclass
class ModelAccount:
    """A balance kept by the simplest means."""

    day: int
    spent: int = 0
    lifetime: int = 0
    held: dict[str, int] = field(default_factory=dict)


class LedgerMachine(RuleBasedStateMachine):
    """Reserve, settle, crash, wait and jump, in any order."""

    requests = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(1_767_268_800.0)
        self.boot = 0
        self.count = 0
        self.leases: dict[str, float] = {}
        self.states: dict[str, ReservationState] = {}
        self.units: dict[str, dict[AccountName, int]] = {}
        self.tokens: dict[str, int] = {}
        self.store = self.run(self.open_store())
        self.model = {name: ModelAccount(self.day()) for name in LIMITS}
        for name, limit_units in LIMITS.items():
            renewal = RenewalPolicy.NONE if name == FOREVER else RenewalPolicy.DAILY
            cap = CAP if name == CAPPED else None
            self.run(
                self.store.create_account(
                    terms(
                        name,
                        limit_units=limit_units,
                        renewal=renewal,
                        lifetime_cap_units=cap,
                    )
                )
            )

    async def open_store(self) -> LedgerStore:
        """Return an empty ledger; each machine says which."""
        raise AssertionError

    def run(self, work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns.
        """Run one call of the store to its end."""
        return self.runner.run(work)

    def day(self) -> int:
        """Return the day of the model's calendar."""
        return int(self.clock.now_s()) // DAY_S

    def owner(self) -> Owner:
        """Return the router process that lives now."""
        return Owner("router-1", f"boot-{self.boot}")

    def spent(self, name: AccountName) -> int:
        """Return what the window that holds the present has spent."""
        account = self.model[name]
        over = name != FOREVER and self.day() > account.day
        return 0 if over else account.spent

    def free(self, name: AccountName) -> int:
        """Return what is left of the window, and of the lifetime."""
        account = self.model[name]
        held = sum(account.held.values())
        window = LIMITS[name] - self.spent(name) - held
        return min(window, CAP - account.lifetime - held) if name == CAPPED else window

    def renew(self, name: AccountName) -> ModelAccount:
        """Begin the window that is due, as the first change in it does."""
        account = self.model[name]
        account.spent = self.spent(name)
        account.day = max(account.day, self.day())
        return account

    def settle(self, request_id: str, tokens: int, state: ReservationState) -> None:
        """End a hold in the model."""
        for name, units in self.units[request_id].items():
            account = self.renew(name)
            del account.held[request_id]
            account.spent += units * tokens
            account.lifetime += units * tokens
        self.states[request_id] = state
        self.tokens[request_id] = tokens

    @rule(
        target=requests,
        names=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1),
        units=st.integers(min_value=1, max_value=12),
        tokens_max=st.integers(min_value=1, max_value=12),
        lease_s=st.sampled_from([10.0, 1000.0, 80_000.0]),
    )
    def reserve(
        self, names: set[AccountName], units: int, tokens_max: int, lease_s: float
    ) -> str:
        """Ask for a hold; the model knows whether it fits."""
        self.count += 1
        request_id = f"r{self.count}"
        charges = {name: units + place for place, name in enumerate(sorted(names))}
        asked = request(
            request_id,
            charges=tuple(charges.items()),
            tokens_max=tokens_max,
            lease_s=lease_s,
            owner=self.owner(),
            body=request_id,
        )
        fits = all(
            cost * tokens_max <= self.free(name) for name, cost in charges.items()
        )
        if not fits:
            with pytest.raises(BudgetExhausted):
                self.run(self.store.reserve(asked))
            return ""
        assert self.run(self.store.reserve(asked)).outcome is ReserveOutcome.OPENED
        for name, cost in charges.items():
            self.renew(name).held[request_id] = cost * tokens_max
        self.leases[request_id] = self.clock.now_s() + lease_s
        self.states[request_id] = ReservationState.RESERVED
        self.units[request_id] = charges
        self.tokens[request_id] = tokens_max
        return request_id

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
        assert answer.reservation.state is self.states[request_id]

    @rule(request_id=requests, share=st.floats(min_value=0.0, max_value=1.0))
    def commit(self, request_id: str, share: float) -> None:
        """Charge a part of the hold; a settled or foreign hold refuses."""
        if not request_id:
            return
        held = self.run(self.store.get_reservation(RequestId(request_id)))
        tokens = max(1, round(share * held.tokens_max))
        call = self.store.commit(
            RequestId(request_id), owner=self.owner(), tokens=tokens
        )
        if self.may_settle(held.owner, request_id):
            self.run(call)
            self.settle(request_id, tokens, ReservationState.COMMITTED)
        elif (
            held.state is ReservationState.COMMITTED
            and tokens == self.tokens[request_id]
        ):
            assert self.run(call) == held
        else:
            with pytest.raises(NotNow):
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
        if self.may_settle(held.owner, request_id):
            self.run(call)
            self.settle(request_id, 0, ReservationState.RELEASED)
        elif held.state is ReservationState.RELEASED:
            assert self.run(call) == held
        else:
            with pytest.raises(NotNow):
                self.run(call)

    def may_settle(self, owner: Owner, request_id: str) -> bool:
        """Return whether the living process holds this request."""
        held = self.states[request_id] is ReservationState.RESERVED
        return held and owner == self.owner()

    @rule(seconds=st.sampled_from([1, 100, 5000, DAY_S, 10 * DAY_S, -100, -DAY_S]))
    def let_time_pass(self, seconds: int) -> None:
        """Move the clock, also back."""
        self.run(self.clock.advance(seconds))

    @rule()
    def expire(self) -> None:
        """Settle in full what is past its lease, and only that."""
        due = {
            request_id
            for request_id, lease_s in self.leases.items()
            if lease_s <= self.clock.now_s()
            and self.states[request_id] is ReservationState.RESERVED
        }

        expired = self.run(self.store.expire_due())

        assert {hold.request_id for hold in expired} == due
        for request_id in due:
            self.settle(request_id, self.tokens[request_id], ReservationState.EXPIRED)

    @rule()
    def restart(self) -> None:
        """Lose the process; its successor settles what it left."""
        self.boot += 1
        left = {
            request_id
            for request_id, state in self.states.items()
            if state is ReservationState.RESERVED
        }

        settled = self.run(self.store.settle_orphans(self.owner()))

        assert {hold.request_id for hold in settled} == left
        for request_id in left:
            self.settle(request_id, self.tokens[request_id], ReservationState.EXPIRED)

    @invariant()
    def balances_are_those_of_the_model_and_never_over(self) -> None:
        """Conservation: spent, held and free make the limit, and none is negative."""
        for name, account in self.model.items():
            held = sum(account.held.values())
            stored = self.run(self.store.get_account(name))
            assert Balance.of(stored) == Balance(
                self.spent(name), held, account.lifetime
            )
            assert stored.free_units == self.free(name)
            assert stored.free_units >= 0
            assert self.spent(name) + held <= LIMITS[name]

    def teardown(self) -> None:
        """Compare the journal with the balances, and close."""
        try:
            told = balances_told_by(self.run(journal(self.store)))
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
