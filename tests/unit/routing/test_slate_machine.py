"""Slates that follow changes node by node are those that are built anew.

A state machine does to a router what happens to one, in any order: nodes come, renew,
drain, leave and lapse, breakers open, requests are counted, read and ended, answers are
observed. After each step the slates that the router remembers are compared, field by
field and to the last bit, with slates made from the registry and from the machine's own
books.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from federated_router.choice.choosing import Wishes
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FederationError
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import AUTO, Load, Offer, Tariff
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import (
    NO_FACTS,
    Candidate,
    RouteQuery,
    Shape,
)
from federated_router.routing.loads import Counted
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.slate import Slate
from federated_router.routing.strategies import STRATEGIES
from tests.support.candidates import candidates_of

LEASE_S = 60.0
MODELS = ("models/a", "models/b")
NAMES = st.sampled_from([f"nodes/n{number}" for number in range(6)])
QUERIES = (
    RouteQuery(MODELS[0]),
    RouteQuery(AUTO, excluded=frozenset({"nodes/n1"})),
    RouteQuery(MODELS[1], private=True, regions=frozenset({"north"})),
)
SHAPES = (
    Shape(prompt_tokens=900, tokens_max=50, prefix=(1, 2)),
    Shape(prompt_tokens=4000, prefix=(1, 3, 4, 5), wishes=Wishes(cost_max=6.0)),
)
VIEW = PriorsView(
    3,
    {
        Cell(MODELS[0], "north"): Performance(900, 0.8, 30.0, None, None, 0.9),
        Cell(MODELS[0], "south"): Performance(400, 0.9, 12.0, None, None, 0.4),
        Cell(MODELS[1], "south"): Performance(800, 0.7, 9.0, None, None, 0.8),
    },
)


def told(slate: Slate) -> tuple[object, ...]:
    """Return everything that a slate holds, as values that compare."""
    settled = [(one.scorer, one.scores.tolist(), one.weight) for one in slate.settled]
    return (
        slate.verdicts,
        tuple(slate.candidates),
        settled,
        slate.settled_sum.tolist(),
        slate.weight,
        slate.every.tolist(),
    )


class Changing(RuleBasedStateMachine):
    """A router and its registry, beside books that are kept by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.registry = Registry(RegistrySettings(lease_s=LEASE_S), self.clock)
        routing = RoutingSettings(seed=2, queue_factor=2.0)
        self.router = Router(routing, self.registry, clock=self.clock)
        self.router.believe(VIEW)
        self.blocked: set[tuple[str, str]] = set()
        self.running: list[tuple[Candidate, Counted]] = []
        for number in range(3):
            self.register(f"nodes/n{number}", number + 1, number, private=number > 0)

    @rule(
        name=NAMES,
        slots=st.integers(1, 3),
        kind=st.integers(0, 3),
        private=st.booleans(),
    )
    def register(self, name: str, slots: int, kind: int, *, private: bool) -> None:
        """Let a node come, or come again as another."""
        tariff = Tariff(float(kind), 2.0, 1.0)
        self.registry.register(
            name=name,
            address=f"{name}:{kind}",
            region=("north", "south")[kind % 2],
            weight=1.0 + kind,
            offers=[
                Offer(model, 1 << 16, private=private, slots=slots, tariff=tariff)
                for model in MODELS[: 1 + kind % 2]
            ],
        )

    @rule(name=NAMES, load=st.integers(0, 9))
    def renew(self, name: str, load: int) -> None:
        """Let a node renew its lease, and tell a load."""
        member = self.registry.present().members.get(name)
        if member is not None:
            self.registry.renew(name, member.lease_id, Load(load, load))

    @rule(name=NAMES)
    def drain(self, name: str) -> None:
        """Drain a node that is there."""
        if name in self.registry.present().members:
            self.registry.drain(name)

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        """Let a node leave in order."""
        member = self.registry.present().members.get(name)
        self.registry.deregister(name, member.lease_id if member else "")

    @rule(share=st.sampled_from([0.1, 0.6, 1.1]))
    def wait(self, share: float) -> None:
        """Let time pass; leases that were not renewed lapse."""
        self.clock._now_s += share * LEASE_S

    @rule(name=NAMES, model=st.sampled_from([*MODELS, ""]), opened=st.booleans())
    def turn_breaker(self, name: str, model: str, *, opened: bool) -> None:
        """Open or close a breaker."""
        turn = self.router.block if opened else self.router.unblock
        turn(name, model or None)
        change = self.blocked.add if opened else self.blocked.discard
        change((name, model))

    @rule(strategy=st.sampled_from(sorted(STRATEGIES)))
    def change_strategy(self, strategy: str) -> None:
        """Decide in another way from now on."""
        self.router.set_strategy(strategy)

    @rule(query=st.sampled_from(QUERIES), shape=st.sampled_from(SHAPES))
    def send(self, query: RouteQuery, shape: Shape) -> None:
        """Choose a node and count the request there."""
        try:
            chosen = self.router.choose(query, shape)
        except FederationError:
            return
        counted = self.router.counted(chosen, shape)
        counted.__enter__()
        self.running.append((chosen, counted))

    @precondition(lambda self: self.running)
    @rule(number=st.integers(0, 99), took_ms=st.floats(1.0, 1e4), good=st.booleans())
    def end(self, number: int, took_ms: float, *, good: bool) -> None:
        """Let a request end, well or not."""
        chosen, counted = self.running.pop(number % len(self.running))
        counted.__exit__(None, None, None)
        self.router.observe(chosen, Served(succeeded=good, total_ms=took_ms))

    @precondition(lambda self: self.running)
    @rule(number=st.integers(0, 99))
    def read_prompt(self, number: int) -> None:
        """Let the first token of a request come."""
        self.running[number % len(self.running)][1].prefilled()

    @invariant()
    def counts_are_those_of_the_books(self) -> None:
        """Whoever left or came again meanwhile: what runs, runs."""
        loads, unread = self.router._memory.loads, Counter[str]()
        for chosen, counted in self.running:
            unread[chosen.node] += counted.unread_tokens
        assert loads.in_flight == Counter(chosen.node for chosen, _ in self.running)
        assert loads.unread_tokens == +unread

    @invariant()
    def slates_are_those_built_anew(self) -> None:
        """For queries that were asked before each change, and after."""
        for query, shape in zip(QUERIES, (*SHAPES, SHAPES[0]), strict=True):
            try:
                found = self.router._place(query, shape, explore=False)
            except FederationError:
                continue
            assert found.slate.candidates or found.slate.refused
            self._compare(query, found)

    def _compare(self, query: RouteQuery, found: Placement) -> None:
        profile = STRATEGIES[self.router.strategy]
        present = candidates_of(
            self.registry.present(), query, {}, NO_FACTS, self.blocked
        )
        anew = profile.slate(list(present), query, VIEW)
        moment = found.moment
        assert told(found.slate) == told(anew)
        assert found.slate.scores(moment).tolist() == anew.scores(moment).tolist()
        full = profile.full(anew, moment)
        assert {n: w for n, w in found.closed.items() if w in full.values()} == full
        again = Placement(profile, anew, moment, found.closed)
        assert found.chosen() == again.chosen()


Changing.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
test_slates_follow_every_change = Changing.TestCase
