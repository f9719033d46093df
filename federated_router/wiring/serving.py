"""Puts together what requests pass through, and starts nothing.

Decides who is told of requests that begin and end. Refuses to decide where they go
(`choosing`) and what private answers cost (`budget`).
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from federated_router.admission.wiring import AdmissionLimb, admission_limb
from federated_router.api.v1 import inference_pb2
from federated_router.budget.wiring import BudgetLimb
from federated_router.cache.answers import AnswerCache
from federated_router.cache.wiring import answer_cache
from federated_router.config import RouterSettings
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.load.window import ActivityWindow
from federated_router.load.wiring import LoadLimb, load_limb
from federated_router.proxy.breakers import Breakers
from federated_router.proxy.connections import NodeConnections
from federated_router.proxy.neighbours import Neighbours
from federated_router.proxy.private_answers import PrivateAnswers
from federated_router.proxy.private_places import PrivatePlaces
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.recording import Recording
from federated_router.proxy.service import InferenceServicer
from federated_router.proxy.wiring import PublicLimb, public_limb
from federated_router.registry.registry import Registry
from federated_router.wiring.choosing import ChoosingLimb


@dataclass(frozen=True, slots=True)
class ServingLimb:
    """What serves requests in one router process."""

    private: PrivateProxy
    binding: ServiceBinding
    admission: AdmissionLimb
    cache: AnswerCache
    public: PublicLimb
    load: LoadLimb

    @property
    def resources(self) -> Sequence[AbstractAsyncContextManager[object]]:
        """What is open as long as the router runs."""
        return (self.admission.opened(), self.cache)

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        return {
            **self.admission.background,
            **self.cache.background,
            **self.public.background,
            **self.load.background,
        }


async def serving_limb(
    settings: RouterSettings,
    clock: Clock,
    registry: Registry,
    choosing: ChoosingLimb,
    *,
    connections: NodeConnections,
    budget: BudgetLimb,
    recording: Recording,
) -> ServingLimb:
    """Open what requests pass through."""
    breakers = Breakers(settings.proxy.breakers, choosing.router, clock)
    registry.on_gone(breakers.forget)
    admission = await admission_limb(
        settings.admission,
        present=registry.present,
        clock=clock,
        takes_work=lambda node: not breakers.is_open(node),
    )
    cache = await answer_cache(settings.cache, clock)
    window = ActivityWindow(settings.load, clock)
    neighbours = Neighbours(
        assessor=choosing.assessor,
        admission=admission.admission,
        answers=cache if cache.has_tiers else None,
        footprints=choosing.footprints,
        activity=window,
        outcomes=choosing.outcomes,
    )
    public = public_limb(
        settings.proxy,
        choosing.router,
        breakers=breakers,
        connections=connections,
        recording=recording,
        neighbours=neighbours,
    )
    private = _private_proxy(
        settings,
        clock,
        choosing,
        public,
        connections=connections,
        neighbours=neighbours,
        budget=budget,
        recording=recording,
    )
    servicer = InferenceServicer(
        public=public.public,
        private=private,
        registry=registry,
        settings=settings.proxy,
        neighbours=neighbours,
    )
    return ServingLimb(
        private=private,
        binding=ServiceBinding(
            inference_pb2.DESCRIPTOR.services_by_name["InferenceService"], servicer
        ),
        admission=admission,
        cache=cache,
        public=public,
        load=load_limb(
            settings.load,
            window=window,
            routing=choosing.router,
            registry=registry,
            admission=admission.admission,
            breakers=breakers,
            footprints=choosing.footprints,
            cache=cache if cache.has_tiers else None,
            cache_settings=settings.cache,
            clock=clock,
        ),
    )


def _private_proxy(
    settings: RouterSettings,
    clock: Clock,
    choosing: ChoosingLimb,
    public: PublicLimb,
    *,
    connections: NodeConnections,
    neighbours: Neighbours,
    budget: BudgetLimb,
    recording: Recording,
) -> PrivateProxy:
    """Return the private path, which learns of nodes together with the public one."""
    return PrivateProxy(
        places=PrivatePlaces(
            router=choosing.router,
            connections=connections,
            learners=public.learners,
            waits=public.waits,
            settings=settings.proxy,
        ),
        neighbours=neighbours,
        pricer=budget.pricer,
        cashier=budget.cashier,
        answers=PrivateAnswers(budget.ledger, settings.budget.answers, clock),
        policies={f"policies/{one.name}": one.policy() for one in settings.policies},
        recording=recording,
        settings=settings.proxy,
    )
