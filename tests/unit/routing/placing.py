"""What tests of placement share: candidates, decisions at a moment, live routers."""

from collections.abc import Sequence

from federated_router.kit.clock import ManualClock
from federated_router.registry.membership import (
    NO_TARIFF,
    NodeState,
    Offer,
    Tariff,
)
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import PLAIN, Candidate, RouteQuery, Shape
from federated_router.routing.decision import Decision
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Profile, decide
from federated_router.routing.router import Router
from federated_router.routing.settings import RoutingSettings
from federated_router.routing.turns import Turns

MODEL = "models/m"
QUERY = RouteQuery(MODEL)


def candidate(
    node: str = "nodes/n1",
    *,
    model: str = MODEL,
    region: str = "north",
    state: NodeState = NodeState.READY,
    private: bool = True,
    slots: int = 4,
    in_flight: int = 0,
    weight: float = 1.0,
    tariff: Tariff = NO_TARIFF,
    carbon_intensity: float | None = None,
) -> Candidate:
    """Return a candidate."""
    return Candidate(
        node=node,
        address="a:1",
        model=model,
        region=region,
        state=state,
        private=private,
        context_tokens_max=128,
        slots=slots,
        in_flight=in_flight,
        weight=weight,
        tariff=tariff,
        carbon_intensity=carbon_intensity,
    )


def at(
    candidates: Sequence[Candidate], *, turn: int = 0, shape: Shape = PLAIN
) -> Moment:
    """Return a moment at which so many requests run as the candidates say."""
    return Moment(
        shape=shape,
        in_flight={one.node: one.in_flight for one in candidates if one.in_flight},
        turns=Turns(number=turn),
    )


def decided(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery = QUERY,
    view: PriorsView | None = None,
    turn: int = 0,
) -> Decision:
    """Return the decision that candidates get."""
    moment = at(candidates, turn=turn)
    return decide(profile, candidates, query, view or PriorsView(), moment)


class Live:
    """A router, its registry and its clock."""

    def __init__(self, settings: RoutingSettings | None = None, **kept: object) -> None:
        self.clock = ManualClock()
        self.registry = Registry(RegistrySettings(lease_s=1e6), self.clock)
        chooser = kept.get("chooser")
        self.router = Router(
            settings or RoutingSettings(seed=1),
            self.registry,
            chooser=chooser,  # type: ignore[arg-type]
            clock=self.clock,
        )

    def join(
        self,
        *names: str,
        models: Sequence[str] = (MODEL,),
        slots: int = 2,
        region: str = "north",
        context: int = 4096,
    ) -> None:
        """Register nodes that offer the same."""
        for name in names:
            self.registry.register(
                name=f"nodes/{name}",
                address=f"{name}:1",
                region=region,
                offers=[
                    Offer(model, context, private=False, slots=slots)
                    for model in models
                ],
            )

    def nodes(self, count: int, shape: Shape = PLAIN) -> list[str]:
        """Return where so many requests go, one after the other, none at a time."""
        return [self.router.choose(QUERY, shape).node for _ in range(count)]
