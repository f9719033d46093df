"""Constructs a router from its configuration, and starts nothing."""

import secrets

from federated_router.api.v1 import registry_pb2, release_pb2, routing_pb2
from federated_router.budget.reservation import Owner
from federated_router.budget.wiring import BudgetLimb, budget_limb
from federated_router.config import RouterSettings
from federated_router.federation.own_statistics import own_statistics
from federated_router.federation.wiring import membership_limb
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.daemon import Daemon, own_identity
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Identity, Role
from federated_router.kit.ops import build_operated_server
from federated_router.proxy.connections import NodeConnections
from federated_router.proxy.private_grant import parameters_message
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.recording import Recording
from federated_router.registry.registry import Registry
from federated_router.registry.service import RegistryServicer
from federated_router.releases.service import ReleaseServicer
from federated_router.routing.service import RoutingServicer
from federated_router.synthesis.wiring import synthesis_limb
from federated_router.wiring.choosing import ChoosingLimb, choosing_limb
from federated_router.wiring.serving import ServingLimb, serving_limb


async def build(settings: RouterSettings, clock: Clock | None = None) -> Daemon:
    """Return a router daemon; call it inside the event loop that will run it."""
    clock = clock or SystemClock()
    identity = own_identity(settings, role=Role.ROUTER)
    registry = Registry(settings.registry, clock)
    statistics = settings.statistics.statistics(
        recovering=settings.federation is not None
    )
    choosing = await choosing_limb(
        settings, registry, clock, own_parts=statistics.own_parts
    )
    pseudonyms = Pseudonyms()
    statistics.announce_users(pseudonyms.epoch)
    owner = Owner(instance=identity.id, boot=secrets.token_hex(8))
    budget = await budget_limb(settings.budget, owner=owner, clock=clock)
    connections = _connections(settings, identity, registry)
    serving = await serving_limb(
        settings,
        clock,
        registry,
        choosing,
        connections=connections,
        budget=budget,
        recording=Recording(
            statistics, pseudonyms=pseudonyms, learns=settings.federation is not None
        ),
    )
    syntheses = await synthesis_limb(
        settings.synthesis,
        budget=budget,
        private=serving.private,
        proxy=settings.proxy,
        page_bytes_max=_page_bytes_max(settings),
    )
    bindings = [
        *_routing_bindings(clock, registry, choosing, user_epoch=pseudonyms.epoch),
        *_budget_bindings(settings, clock, budget, serving),
        serving.binding,
        serving.load.binding,
        syntheses.binding,
    ]
    bound = build_operated_server(
        settings, identity, bindings, statistics=own_statistics(statistics)
    )
    limb = await membership_limb(
        settings.federation,
        identity=identity,
        tls=settings.tls,
        statistics=statistics,
        clock=clock,
        receive=choosing.priors.receive,
        earlier_priors=settings.routing.priors_kept_max - 1,
        revocations=bound.revocations,
    )
    return Daemon(
        identity=identity,
        settings=settings,
        bound=bound,
        resources=[
            budget.opened(),
            syntheses.opened(),
            connections,
            *serving.resources,
            *limb.resources,
        ],
        background={
            "leases": registry.sweep,
            **choosing.background,
            **serving.background,
            **budget.background,
            **syntheses.background,
            **limb.background,
        },
        leave=registry.rest,
    )


def _connections(
    settings: RouterSettings, identity: Identity, registry: Registry
) -> NodeConnections:
    """Return the connections to nodes, which end as the registry says that they do."""
    connections = NodeConnections(
        Channels(settings.tls, trust_domain=identity.trust_domain),
        connect_timeout_s=settings.proxy.connect_timeout_s,
        finish_timeout_s=settings.proxy.request_timeout_max_s,
        lapsed_silence_s=settings.proxy.lapsed_silence_s,
    )
    registry.on_left(connections.let_finish)
    registry.on_gone(connections.lapse)
    return connections


def _routing_bindings(
    clock: Clock, registry: Registry, choosing: ChoosingLimb, *, user_epoch: str
) -> list[ServiceBinding]:
    """Return the contracts about nodes and the choice among them."""
    router = choosing.router
    return [
        ServiceBinding(
            routing_pb2.DESCRIPTOR.services_by_name["RoutingService"],
            RoutingServicer(
                router,
                choosing.priors,
                assess=choosing.assessor.assessed,
                outcomes=choosing.outcomes,
            ),
        ),
        ServiceBinding(
            registry_pb2.DESCRIPTOR.services_by_name["NodeRegistryService"],
            RegistryServicer(
                registry,
                clock,
                router.in_flight,
                trusted_with=choosing.trust.of,
                user_epoch=user_epoch,
            ),
        ),
    ]


def _budget_bindings(
    settings: RouterSettings, clock: Clock, budget: BudgetLimb, serving: ServingLimb
) -> list[ServiceBinding]:
    """Return the contracts about budgets and what is published under them."""
    return [
        *budget.bindings(
            serving.private.policy,
            parameters_message,
            page_bytes_max=_page_bytes_max(settings),
        ),
        ServiceBinding(
            release_pb2.DESCRIPTOR.services_by_name["ReleaseService"],
            ReleaseServicer(
                ledger=budget.ledger,
                pricer=budget.pricer,
                cashier=budget.cashier,
                clock=clock,
                answer_lifetime_s=settings.budget.answers.lifetime_s,
            ),
        ),
    ]


def _page_bytes_max(settings: RouterSettings) -> int:
    return settings.server.message_bytes_max // 2
