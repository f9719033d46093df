"""Ledger, router, network and node on credit, failing in any order.

The network loses, repeats and reorders; the ledger fails with and without effect; any
party dies at any moment. Whatever happens, the charge covers what was sampled.
"""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from federated_router.budget.cashier import Hold
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.reservation import Owner, ReservationState
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import NotNow
from federated_router.proxy.private_credit import Instalments
from node.private.credit import Credit
from tests.support.ledger_world import LEASE_S, NOON_S, OWNER, REQUEST, request, terms

TOKENS_MAX = 24
SIZE = 4


class Credited(RuleBasedStateMachine):
    """One private answer, with the parts that the daemons use."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = ManualClock(NOON_S)
        self.ledger = MemoryLedgerStore(clock=self.clock)
        self.instalments = Instalments(SIZE, tokens_max=TOKENS_MAX)
        first = self.instalments.first
        self.run(self.ledger.create_account(terms()))
        self.run(self.ledger.reserve(request(steps_max=TOKENS_MAX, steps_bound=first)))
        self.hold = Hold(
            self.ledger, OWNER, REQUEST, steps_max=TOKENS_MAX, steps_bound=first
        )
        self.credit = Credit(tokens_granted=first, tokens_max=TOKENS_MAX, wait_s=1e9)
        self.network: list[int] = []
        self.sampled = self.seen = 0
        self.router_lives = self.node_lives = True

    def run(self, work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns.
        """Run one call to its end."""
        return self.runner.run(work)

    def state(self) -> Any:  # noqa: ANN401 - a reservation.
        """Return what the ledger holds of the answer."""
        return self.run(self.ledger.get_reservation(REQUEST))

    @precondition(lambda self: self.node_lives)
    @rule(tokens=st.integers(1, 9))
    def sample(self, tokens: int) -> None:
        """Draw as many tokens as the credit covers."""
        for _ in range(tokens):
            if self.sampled < TOKENS_MAX and self.credit.covers(self.sampled):
                self.sampled += 1

    @precondition(lambda self: self.router_lives)
    @rule(tokens=st.integers(1, 9))
    def arrive(self, tokens: int) -> None:
        """Let some of what was sampled reach the router."""
        self.seen = min(self.sampled, self.seen + tokens)

    @precondition(lambda self: self.router_lives)
    @rule(outcome=st.sampled_from(["told", "lost", "unknown", "failed"]))
    def extend(self, outcome: str) -> None:
        """Write first; send only what is known to be written."""
        bound = self.hold.steps_bound
        granted = self.instalments.next(seen=self.seen, granted=bound)
        if granted is None or outcome == "failed":
            return
        if outcome == "unknown":
            # The write took effect, and its answer was lost.
            self.run(self.ledger_bound(granted))
            return
        try:
            self.run(self.hold.bound(granted))
        except NotNow:
            return
        if outcome == "told":
            self.network.append(self.hold.steps_bound)

    async def ledger_bound(self, granted: int) -> None:
        """Move the bound behind the router's back."""
        if self.state_now().state is ReservationState.RESERVED:
            await self.ledger.bound(REQUEST, owner=OWNER, steps=granted)

    def state_now(self) -> Any:  # noqa: ANN401 - a reservation.
        """Return the reservation, inside a running call."""
        return self.ledger._rows.reservation(REQUEST)

    @precondition(lambda self: self.network and self.node_lives)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Deliver any message, perhaps not for the first time."""
        self.credit.extend(data.draw(st.sampled_from(self.network)))

    @rule()
    def kill_the_node(self) -> None:
        """Let nothing be sampled any more."""
        self.node_lives = False

    @precondition(lambda self: self.router_lives)
    @rule()
    def give_up(self) -> None:
        """Charge what was granted: the call failed, or its caller left."""
        self.router_lives = False
        if self.state().state is ReservationState.RESERVED:
            self.run(self.hold.commit_bound())

    @precondition(lambda self: self.router_lives and self.sampled)
    @rule()
    def finish(self) -> None:
        """Let the node tell its count, and be done."""
        self.node_lives = self.router_lives = False
        if self.state().state is ReservationState.RESERVED:
            self.run(self.hold.commit(self.sampled))

    @precondition(lambda self: self.router_lives)
    @rule()
    def kill_the_router(self) -> None:
        """Its successor settles what it left; messages on their way arrive yet."""
        self.router_lives = False
        self.run(self.ledger.settle_orphans(Owner(OWNER.instance, "boot-2")))

    @rule()
    def let_the_lease_lapse(self) -> None:
        """Another router charges the hold while this one still believes in it."""
        self.run(self.clock.advance(LEASE_S + 1))
        self.run(self.ledger.expire_due())

    @invariant()
    def charge_covers_what_was_sampled_and_little_more(self) -> None:
        """Held is not yet charged; what is charged then is final."""
        one = self.state()
        covered = (
            one.steps_bound
            if one.state is ReservationState.RESERVED
            else one.steps_charged
        )
        assert self.sampled <= covered <= TOKENS_MAX
        assert covered < self.seen + 2 * SIZE

    def teardown(self) -> None:
        """Close the loop."""
        self.runner.close()


QUICK = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestCredited(Credited.TestCase):  # type: ignore[misc, valid-type]
    """Whatever fails, in whatever order."""

    settings = QUICK


@pytest.mark.parametrize("written_first", [True, False])
def test_a_router_that_tells_first_is_caught(
    written_first: bool,  # noqa: FBT001 - a case, not a mode.
) -> None:
    """The invariant has teeth: the same history in the other order breaks it."""
    machine = Credited()
    machine.sample(SIZE)
    machine.arrive(SIZE)
    if written_first:
        machine.extend("told")
    else:
        machine.network.append(2 * SIZE)
    machine.credit.extend(machine.network[0])
    machine.sample(SIZE)
    machine.kill_the_router()

    if written_first:
        machine.charge_covers_what_was_sampled_and_little_more()
    else:
        with pytest.raises(AssertionError):
            machine.charge_covers_what_was_sampled_and_little_more()
    machine.teardown()
