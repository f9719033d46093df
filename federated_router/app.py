"""Constructs a router from its configuration, and starts nothing."""

import secrets

from federated_router.api.v1 import (
    inference_pb2,
    registry_pb2,
    release_pb2,
    routing_pb2,
)
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
from federated_router.proxy.private_answers import PrivateAnswers
from federated_router.proxy.private_grant import parameters_message
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.public_proxy import PublicProxy
from federated_router.proxy.recording import Recording
from federated_router.proxy.service import InferenceServicer
from federated_router.registry.registry import Registry
from federated_router.registry.service import RegistryServicer
from federated_router.releases.service import ReleaseServicer
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.router import Router
from federated_router.routing.service import RoutingServicer
from federated_router.synthesis.wiring import synthesis_limb


async def build(settings: RouterSettings, clock: Clock | None = None) -> Daemon:
    """Return a router daemon; call it inside the event loop that will run it."""
    clock = clock or SystemClock()
    identity = own_identity(settings, role=Role.ROUTER)
    registry = Registry(settings.registry, clock)
    router = Router(settings.routing, registry)
    priors = AppliedPriors(
        router.believe,
        kept_max=settings.routing.priors_kept_max,
        half_life_s=settings.routing.priors_half_life_s,
    )
    statistics = settings.statistics.statistics(
        recovering=settings.federation is not None
    )
    pseudonyms = Pseudonyms()
    statistics.announce_users(pseudonyms.epoch)
    owner = Owner(instance=identity.id, boot=secrets.token_hex(8))
    budget = await budget_limb(settings.budget, owner=owner, clock=clock)
    connections = _connections(settings, identity, registry)
    recording = Recording(
        statistics, pseudonyms=pseudonyms, learns=settings.federation is not None
    )
    public, private = _proxies(
        settings,
        clock,
        router,
        connections=connections,
        budget=budget,
        recording=recording,
    )
    bindings = _bindings(
        settings,
        clock,
        registry,
        router,
        priors=priors,
        budget=budget,
        public=public,
        private=private,
        user_epoch=pseudonyms.epoch,
    )
    syntheses = await synthesis_limb(
        settings.synthesis,
        budget=budget,
        private=private,
        proxy=settings.proxy,
        page_bytes_max=settings.server.message_bytes_max // 2,
    )
    bindings.append(syntheses.binding)
    bound = build_operated_server(
        settings, identity, bindings, statistics=own_statistics(statistics)
    )
    limb = await membership_limb(
        settings.federation,
        identity=identity,
        tls=settings.tls,
        statistics=statistics,
        clock=clock,
        receive=priors.receive,
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
            *limb.resources,
        ],
        background={
            "leases": registry.sweep,
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
    )
    registry.on_left(connections.let_finish)
    registry.on_gone(connections.drop)
    return connections


def _proxies(
    settings: RouterSettings,
    clock: Clock,
    router: Router,
    *,
    connections: NodeConnections,
    budget: BudgetLimb,
    recording: Recording,
) -> tuple[PublicProxy, PrivateProxy]:
    public = PublicProxy(
        router=router,
        connections=connections,
        recording=recording,
        settings=settings.proxy,
    )
    private = PrivateProxy(
        router=router,
        connections=connections,
        pricer=budget.pricer,
        cashier=budget.cashier,
        answers=PrivateAnswers(budget.ledger, settings.budget.answers, clock),
        policies={f"policies/{one.name}": one.policy() for one in settings.policies},
        recording=recording,
        settings=settings.proxy,
    )
    return public, private


def _bindings(
    settings: RouterSettings,
    clock: Clock,
    registry: Registry,
    router: Router,
    *,
    priors: AppliedPriors,
    budget: BudgetLimb,
    public: PublicProxy,
    private: PrivateProxy,
    user_epoch: str,
) -> list[ServiceBinding]:
    """Return every contract that a router serves, but for its operator's."""
    return [
        ServiceBinding(
            inference_pb2.DESCRIPTOR.services_by_name["InferenceService"],
            InferenceServicer(
                public=public,
                private=private,
                registry=registry,
                settings=settings.proxy,
            ),
        ),
        ServiceBinding(
            routing_pb2.DESCRIPTOR.services_by_name["RoutingService"],
            RoutingServicer(router, priors),
        ),
        ServiceBinding(
            registry_pb2.DESCRIPTOR.services_by_name["NodeRegistryService"],
            RegistryServicer(registry, clock, router.in_flight, user_epoch=user_epoch),
        ),
        *budget.bindings(
            private.policy,
            parameters_message,
            page_bytes_max=settings.server.message_bytes_max // 2,
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
