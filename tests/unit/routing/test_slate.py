"""Slates are remembered; nothing that is remembered may outlive what it rests on."""

from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.kit.clock import ManualClock
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import AUTO, Load, Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing import router as live
from federated_router.routing.candidate import RouteQuery, candidates_of
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import STRATEGIES, decide
from federated_router.routing.router import Router, RoutingSettings

MODELS = ("models/a", "models/b")
NODES = tuple(f"nodes/n{number}" for number in range(1, 5))
QUERY = RouteQuery(AUTO)


class World:
    """A router, its registry, and every way in which a decision can change."""

    def __init__(self) -> None:
        self.registry = Registry(RegistrySettings(lease_s=60), ManualClock())
        self.router = Router(RoutingSettings(), self.registry)
        self.stack = ExitStack()
        self.in_flight: dict[str, int] = {}
        self.turn = 0
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

    def apply(self, step: str, number: int) -> None:
        """Change one thing."""
        name = NODES[number % len(NODES)]
        if step == "load":
            self.load(name)
        elif step == "renew":
            member = self.registry.present().members.get(name)
            if member is not None:
                self.registry.renew(name, member.lease_id, Load(number, number))
        elif step == "register":
            self.register(name, slots=number % 7)
        elif step == "leave":
            member = self.registry.present().members.get(name)
            self.registry.deregister(name, member.lease_id if member else "")
        elif step == "drain" and name in self.registry.present().members:
            self.registry.drain(name)
        elif step == "believe":
            self.believe(number)
        elif step == "strategy":
            self.router.set_strategy(sorted(STRATEGIES)[number % len(STRATEGIES)])


STEPS = st.tuples(
    st.sampled_from(
        ("load", "renew", "register", "leave", "drain", "believe", "strategy")
    ),
    st.integers(min_value=0, max_value=40),
)


@given(steps=st.lists(STEPS, max_size=25))
@settings(max_examples=150, deadline=None)
def test_remembered_decision_is_the_one_made_anew(steps: list[tuple[str, int]]) -> None:
    """Whatever changed, a live router decides as one that remembers nothing."""
    world = World()

    for step, number in steps:
        world.apply(step, number)
        present = list(candidates_of(world.registry.present(), QUERY, world.in_flight))
        if not present:
            break
        profile = STRATEGIES[world.router.strategy]
        anew = decide(profile, present, QUERY, world.router.priors, world.turn)

        assert world.router.explain(QUERY) == anew
        if anew.chosen is not None:
            assert world.router.choose(QUERY) == anew.chosen
            world.turn += 1


def test_slates_stay_within_their_limit() -> None:
    """Every set of failed nodes is a query of its own; memory must not follow them."""
    world = World()

    for number in range(live.SLATES_MAX + 10):
        world.router.choose(RouteQuery(AUTO, excluded=frozenset({f"nodes/x{number}"})))

    assert len(world.router._slates) <= live.SLATES_MAX
