"""Random lives of the line against a model that only knows lists."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from federated_router.admission.ask import AdmissionAsk, Lane, Priority
from federated_router.admission.fair_queue import Ticket, TicketState
from federated_router.admission.line import Line, LineLimits
from federated_router.kit.errors import QueueFull
from federated_router.registry.membership import AUTO

WAITING_MAX, TENANT_WAITING_MAX = 6, 3
MODELS = ("models/a", "models/b")
LANES = [Lane(model) for model in (*MODELS, AUTO, "models/unknown")]


class LineMachine(RuleBasedStateMachine):
    """Requests come and go, nodes come and go; the model keeps two lists."""

    def __init__(self) -> None:
        super().__init__()
        self.places = dict.fromkeys(MODELS, 1)
        self.now_s = 0.0
        limits = LineLimits(WAITING_MAX, TENANT_WAITING_MAX, promote_after_s=3.0)
        self.line = Line(limits, self.capacity)
        self.waiting: list[Ticket] = []
        self.running: list[Ticket] = []

    def capacity(self, lane: Lane) -> int:
        """Return the places of this moment."""
        if lane.model == AUTO:
            return sum(self.places.values())
        return self.places.get(lane.model, 0)

    @rule(
        tenant=st.sampled_from("abcd"),
        priority=st.sampled_from(Priority),
        lane=st.sampled_from(LANES),
        cost=st.floats(0.1, 50.0),
    )
    def join(self, tenant: str, priority: Priority, lane: Lane, cost: float) -> None:
        """Join: refused only where a limit is reached."""
        ask = AdmissionAsk(tenant, priority, model=lane.model)
        own = sum(one.tenant == tenant for one in self.waiting)
        lower = [one for one in self.waiting if one.priority < priority]
        try:
            ticket, evicted = self.line.join(ask, cost=cost, now_s=self.now_s)
        except QueueFull:
            full = len(self.waiting) >= WAITING_MAX
            assert own >= TENANT_WAITING_MAX or (full and not lower)
            return
        if evicted is not None:
            assert len(self.waiting) == WAITING_MAX
            assert evicted.priority == min(one.priority for one in lower)
            self.waiting.remove(evicted)
        self.waiting.append(ticket)
        self.admit()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Cancel one that waits."""
        ticket = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(ticket)
        self.line.leave(ticket)
        self.admit()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """End one that runs."""
        ticket = data.draw(st.sampled_from(self.running))
        self.running.remove(ticket)
        self.line.leave(ticket)
        self.admit()

    @rule(model=st.sampled_from(MODELS), places=st.integers(0, 3))
    def nodes_change(self, model: str, places: int) -> None:
        """Let nodes come or go."""
        self.places[model] = places
        self.admit()

    @rule(passing_s=st.floats(0.0, 4.0))
    def wait(self, passing_s: float) -> None:
        """Let time pass."""
        self.now_s += passing_s

    def admit(self) -> None:
        """Let in whoever has the turn, who must have waited."""
        for ticket in self.line.admit(self.now_s):
            self.waiting.remove(ticket)
            self.running.append(ticket)
            assert ticket.state is TicketState.RUNNING

    @invariant()
    def counts_are_the_lists(self) -> None:
        """No request is lost, counted twice, or remembered after it left."""
        assert self.line.waiting.total() == len(self.waiting)
        assert self.line.running.total() == len(self.running)
        everybody = {one.tenant for one in self.waiting + self.running}
        assert self.line.tenants == len(everybody)
        assert len(self.waiting) <= WAITING_MAX

    @invariant()
    def nobody_waits_where_there_is_room(self) -> None:
        """Leave no place empty while somebody waits for it."""
        for lane in {one.lane for one in self.waiting}:
            places = self.capacity(lane)
            own = sum(one.lane == lane for one in self.running)
            all_taken = len(self.running) >= self.capacity(Lane())
            assert places > 0
            assert own >= places or all_taken

    @invariant()
    def tenants_keep_to_their_limit(self) -> None:
        """No tenant waits with more than it may."""
        for tenant in "abcd":
            own = sum(one.tenant == tenant for one in self.waiting)
            assert own <= TENANT_WAITING_MAX


LineMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None
)
TestLineMachine = LineMachine.TestCase
