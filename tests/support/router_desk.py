"""A router's desk: `route`, `node` and `top` against the router's own servicers.

Everything is what a router runs but the network: between command and servicers stands
a channel that opens no socket, as the federation's operator or client.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from federated_router.admission.ask import AdmissionFigures
from federated_router.cache.settings import CacheSettings
from federated_router.footprint.totals import Totals
from federated_router.kit.clock import ManualClock
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.load.settings import LoadSettings
from federated_router.load.window import ActivityWindow
from federated_router.load.wiring import load_limb
from federated_router.proxy.breaker import BreakerState
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.registry.service import RegistryServicer
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.service import RoutingServicer
from federated_router.routing.settings import RoutingSettings
from tests.support.budget_desk import Desk

MODEL = "models/m"


@dataclass(slots=True)
class RouterDesk:
    """Two nodes of one model, one of which serves requests when told."""

    desk: Desk
    broken: dict[str, BreakerState] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=ManualClock)
    registry: Registry = field(init=False)
    router: Router = field(init=False)
    window: ActivityWindow = field(init=False)
    totals: Totals = field(default_factory=lambda: Totals(tenants_max=10))
    servicers: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.registry = Registry(RegistrySettings(lease_s=1e9), self.clock)
        self.router = Router(RoutingSettings(), self.registry)
        self.window = ActivityWindow(LoadSettings(), self.clock)
        for node, slots in (("nodes/a", 4), ("nodes/b", 2)):
            self.registry.register(
                name=node,
                address="a:1",
                region="north",
                offers=[Offer(MODEL, 4096, private=True, slots=slots)],
            )
        load = load_limb(
            LoadSettings(),
            window=self.window,
            routing=self.router,
            registry=self.registry,
            admission=self,
            breakers=self,
            footprints=self.totals,
            cache=None,
            cache_settings=CacheSettings(),
            clock=self.clock,
        )
        priors = AppliedPriors(self.router.believe, kept_max=2, half_life_s=1e6)
        self.servicers = {
            "RoutingService": RoutingServicer(self.router, priors),
            "NodeRegistryService": RegistryServicer(
                self.registry, self.clock, self.router.in_flight
            ),
            "LoadService": load.binding.servicer,
            "BudgetService": self.desk.servicer,
        }

    def states(self) -> dict[str, BreakerState]:
        """Return the breakers that are not closed."""
        return self.broken

    def activity(self) -> AdmissionFigures:
        """Return what admission counted: nothing waits."""
        return AdmissionFigures(
            requests_running=0,
            requests_waiting=0,
            saturation=0.0,
            requests_shed=0,
            requests_rate_limited=0,
            tenants=0,
        )

    def serve(self, requests: int, *, seconds_each: float) -> None:
        """Let so many requests end, where the router sends them."""
        for _ in range(requests):
            chosen = self.router.choose(RouteQuery(MODEL))
            served = Served(
                succeeded=True,
                total_ms=1000.0 * seconds_each,
                first_token_ms=100.0,
                completion_tokens=20,
            )
            self.window.ended(chosen, served)

    def channel(self, caller: Identity) -> "ServicerChannel":
        """Return a channel to the router as this caller."""
        return ServicerChannel(self.servicers, caller)


@dataclass(frozen=True, slots=True)
class ServicerChannel:
    """As much of a channel as generated stubs need, straight into servicers."""

    servicers: dict[str, object]
    caller: Identity

    def unary_unary(
        self, method: str, *_: object, **__: object
    ) -> Callable[..., Awaitable[Message]]:
        """Return a call of the method of that name."""
        service, name = method.removeprefix("/").split("/")
        handler = getattr(self.servicers[service.rpartition(".")[2]], name)

        async def call(request: Message, *, timeout: float) -> Message:  # noqa: ASYNC109
            set_current_identity(self.caller)
            answer: Message = await asyncio.wait_for(handler(request, None), timeout)
            return answer

        return call


OPERATOR = Identity(role=Role.OPERATOR, id="operator", trust_domain="test")
CLIENT = Identity(role=Role.CLIENT, id="alice", trust_domain="test")
