"""Constructs a router from its configuration, and starts nothing."""

import secrets
from contextlib import AbstractAsyncContextManager

from federated_router.api.v1 import (
    inference_pb2,
    ops_pb2,
    registry_pb2,
    release_pb2,
    routing_pb2,
)
from federated_router.budget.reservation import Owner
from federated_router.budget.wiring import BudgetLimb, budget_limb
from federated_router.config import RouterSettings
from federated_router.federation.own_statistics import own_statistics
from federated_router.federation.statistics import Statistics
from federated_router.federation.wiring import membership_limb
from federated_router.kit.clock import Clock, SystemClock
from federated_router.kit.daemon import Background, Daemon, own_identity
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import (
    Health,
    ServiceBinding,
    build_server,
)
from federated_router.kit.identity import Identity, Role
from federated_router.kit.ops import OpsServicer
from federated_router.kit.revocation import Revocations
from federated_router.proxy.connections import NodeConnections
from federated_router.proxy.private_answers import PrivateAnswers
from federated_router.proxy.private_proxy import PrivateProxy, parameters_message
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

Resource = AbstractAsyncContextManager[object]


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
    recording = Recording(
        statistics, pseudonyms=pseudonyms, learns=settings.federation is not None
    )
    owner = Owner(instance=identity.id, boot=secrets.token_hex(8))
    budget = await budget_limb(settings.budget, owner=owner, clock=clock)
    connections = NodeConnections(
        Channels(settings.tls, trust_domain=identity.trust_domain),
        connect_timeout_s=settings.proxy.connect_timeout_s,
        finish_timeout_s=settings.proxy.request_timeout_max_s,
    )
    registry.on_left(connections.let_finish)
    registry.on_gone(connections.drop)
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
    public = PublicProxy(
        router=router,
        connections=connections,
        recording=recording,
        settings=settings.proxy,
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
    background: dict[str, Background] = {"leases": registry.sweep, **budget.background}
    resources: list[Resource] = [budget.opened(), connections]
    revocations = Revocations(authorities_pem=settings.tls.authority.read_bytes())
    limb = await membership_limb(
        settings.federation,
        identity=identity,
        tls=settings.tls,
        statistics=statistics,
        clock=clock,
        receive=priors.receive,
        earlier_priors=settings.routing.priors_kept_max - 1,
        revocations=revocations,
    )
    background |= limb.background
    resources += limb.resources
    return _daemon(
        settings,
        identity,
        bindings=bindings,
        statistics=statistics,
        background=background,
        resources=resources,
        leave=registry.rest,
        revocations=revocations,
    )


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


def _daemon(
    settings: RouterSettings,
    identity: Identity,
    *,
    bindings: list[ServiceBinding],
    statistics: Statistics,
    background: dict[str, Background],
    resources: list[Resource],
    leave: Background,
    revocations: Revocations,
) -> Daemon:
    service = ops_pb2.DESCRIPTOR.services_by_name["OpsService"]
    names = [binding.descriptor.full_name for binding in bindings]
    health = Health([*names, service.full_name])
    ops = OpsServicer(
        identity=identity,
        settings=settings,
        health=health,
        statistics=own_statistics(statistics),
    )
    bound = build_server(
        settings=settings.server,
        tls=settings.tls,
        trust_domain=identity.trust_domain,
        bindings=[*bindings, ServiceBinding(service, ops)],
        health_state=health,
        revocations=revocations,
    )
    return Daemon(
        identity=identity,
        settings=settings,
        bound=bound,
        resources=resources,
        background=background,
        leave=leave,
    )
