"""Slates are remembered; nothing that is remembered may outlive what it rests on."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.kit.clock import ManualClock
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import AUTO, Load, Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing import scene as live
from federated_router.routing.candidate import (
    NO_FACTS,
    PLAIN,
    RouteQuery,
)
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import decide
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.strategies import STRATEGIES
from tests.support.candidates import candidates_of

MODELS = ("models/a", "models/b")
NODES = tuple(f"nodes/n{number}" for number in range(1, 5))
QUERY = RouteQuery(AUTO)


class World:
    """A router, its registry, and every way in which a decision can change."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.registry = Registry(RegistrySettings(lease_s=60), clock)
        self.router = Router(RoutingSettings(seed=1), self.registry, clock=clock)
        self.stack = ExitStack()
        self.in_flight: dict[str, int] = {}
        for number, name in enumerate(NODES):
            self.register(name, slots=number + 1)

    def register(self, name: str, *, slots: int) -> None:
        """Let a node come, or come again with other offers."""
        offers = [Offer(model, 512, private=True, slots=slots) for model in MODELS]
        self.registry.register(
            name=name, address="a:1", region=f"r{slots % 2}", offers=offers
        )

    def load(self, name: str) -> None:
        """Put one more request on a node."""
        candidates = candidates_of(self.registry.present(), QUERY, {})
        found = [one for one in candidates if one.node == name]
        if found:
            self.stack.enter_context(self.router.counted(found[0]))
            self.in_flight[name] = self.in_flight.get(name, 0) + 1

    def believe(self, revision: int) -> None:
        """Publish priors that prefer another model and region each time."""
        good, bad = 0.5 + revision % 5 / 10, 0.9 - revision % 3 / 10
        self.router.believe(
            PriorsView(
                revision,
                {
                    Cell(model, region): Performance(
                        sample_count=500,
                        success_ratio=good
                        if (model, region) < ("models/b", "r0")
                        else bad,
                        latency_ms_p50=10.0 + revision % 7,
                        latency_ms_p95=None,
                        latency_ms_p99=None,
                        weight=0.5,
                    )
                    for model in MODELS
                    for region in ("r0", "r1")
                },
            )
        )

    def see(self, name: str, number: int) -> None:
        """Let a request end at a node, sooner or later."""
        for one in candidates_of(self.registry.present(), QUERY, {}):
            if one.node == name:
                self.router.observe(one, Served(succeeded=True, total_ms=number + 1.0))

    def leave(self, name: str) -> None:
        """Let a node leave in order."""
        member = self.registry.present().members.get(name)
        self.registry.deregister(name, member.lease_id if member else "")

    def renew(self, name: str, number: int) -> None:
        """Let a node renew its lease, and tell a load."""
        member = self.registry.present().members.get(name)
        if member is not None:
            self.registry.renew(name, member.lease_id, Load(number, number))

    def drain(self, name: str) -> None:
        """Drain a node that is there."""
        if name in self.registry.present().members:
            self.registry.drain(name)

    def apply(self, step: str, number: int) -> None:
        """Change one thing."""
        name = NODES[number % len(NODES)]
        model = MODELS[0] if number % 3 else None
        strategies = sorted(STRATEGIES)
        changes: dict[str, Callable[[], None]] = {
            "load": lambda: self.load(name),
            "renew": lambda: self.renew(name, number),
            "register": lambda: self.register(name, slots=number % 7),
            "leave": lambda: self.leave(name),
            "drain": lambda: self.drain(name),
            "believe": lambda: self.believe(number),
            "block": lambda: self.router.block(name, model),
            "unblock": lambda: self.router.unblock(name, model),
            "see": lambda: self.see(name, number),
            "strategy": lambda: self.router.set_strategy(
                strategies[number % len(strategies)]
            ),
        }
        changes[step]()


STEPS = st.tuples(
    st.sampled_from(
        (
            "load",
            "renew",
            "register",
            "leave",
            "drain",
            "believe",
            "block",
            "unblock",
            "see",
            "strategy",
        )
    ),
    st.integers(min_value=0, max_value=40),
)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_remembered_decision_is_the_one_made_anew(steps: list[tuple[str, int]]) -> None:
    """Whatever changed, a live router decides as one that remembers nothing."""
    world = World()

    for step, number in steps:
        world.apply(step, number)
        blocked = world.router._scene.blocked
        present = list(
            candidates_of(
                world.registry.present(), QUERY, world.in_flight, NO_FACTS, blocked
            )
        )
        if not present:
            break
        profile = STRATEGIES[world.router.strategy]
        moment = world.router._memory.moment(PLAIN)
        anew = decide(profile, present, QUERY, world.router.priors, moment)

        explained = world.router.explain(QUERY)
        assert replace(explained, counterfactuals=()) == anew
        if anew.chosen is not None:
            assert world.router.choose(QUERY) == anew.chosen


def test_slates_stay_within_their_limit() -> None:
    """Every set of failed nodes is a query of its own; memory must not follow them."""
    world = World()

    for number in range(live.SLATES_MAX + 10):
        world.router.choose(RouteQuery(AUTO, excluded=frozenset({f"nodes/x{number}"})))

    assert len(world.router._scene.slates) <= live.SLATES_MAX
