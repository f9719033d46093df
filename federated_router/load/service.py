"""LoadService: between the contract and what the router counts.

Translates and decides who sees what: operators see the router, a client its own
footprint alone.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import grpc

from federated_router.admission.ask import AdmissionFigures
from federated_router.api.v1 import load_pb2 as pb
from federated_router.api.v1 import load_pb2_grpc as pb_grpc
from federated_router.api.v1 import registry_pb2
from federated_router.cache.answers import CacheFigures
from federated_router.footprint.totals import TenantTotal
from federated_router.kit.identity import Role, current_identity
from federated_router.load.activity import IDLE, Activity
from federated_router.load.advisor import Advisor
from federated_router.load.demand import Advice
from federated_router.load.views import (
    Admission,
    Breakers,
    Cache,
    Footprints,
    Routing,
)
from federated_router.load.window import ActivityWindow, Pair
from federated_router.proxy.breaker import BreakerState
from federated_router.registry.membership import Member, NodeState
from federated_router.registry.registry import Registry

_OPERATORS = frozenset({Role.OPERATOR})
_STATES = {
    NodeState.READY: registry_pb2.Node.STATE_READY,
    NodeState.DRAINING: registry_pb2.Node.STATE_DRAINING,
}
_BREAKERS = {
    BreakerState.CLOSED: pb.NodeActivity.BREAKER_CLOSED,
    BreakerState.OPEN: pb.NodeActivity.BREAKER_OPEN,
    BreakerState.HALF_OPEN: pb.NodeActivity.BREAKER_HALF_OPEN,
}


class LoadServicer(pb_grpc.LoadServiceServicer):
    """Shows operators the load, and everybody the footprint of their answers."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "GetLoad": _OPERATORS,
        "GetScalingAdvice": _OPERATORS,
        "ListFootprints": frozenset({Role.CLIENT, Role.OPERATOR}),
    }

    def __init__(
        self,
        *,
        routing: Routing,
        registry: Registry,
        window: ActivityWindow,
        advisor: Advisor,
        admission: Admission,
        breakers: Breakers,
        footprints: Footprints,
        cache: Cache | None = None,
        cache_bytes_max: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._routing = routing
        self._registry = registry
        self._window = window
        self._advisor = advisor
        self._admission = admission
        self._breakers = breakers
        self._footprints = footprints
        self._cache = cache
        self._cache_bytes_max = cache_bytes_max

    async def GetLoad(
        self, _: pb.GetLoadRequest, __: grpc.aio.ServicerContext
    ) -> pb.GetLoadResponse:
        """Return what runs, waits and is refused now."""
        response = pb.GetLoadResponse(
            strategy=self._routing.strategy,
            priors_revision=self._routing.priors.revision,
            nodes=self._nodes(),
            admission=_admission(self._admission.activity()),
        )
        if self._cache is not None:
            response.cache.CopyFrom(
                _cache(self._cache.activity(), self._cache_bytes_max)
            )
        response.window.FromMilliseconds(round(self._window.window_s * 1000))
        return response

    async def GetScalingAdvice(
        self, _: pb.GetScalingAdviceRequest, __: grpc.aio.ServicerContext
    ) -> pb.GetScalingAdviceResponse:
        """Recommend how many nodes to add or to take away, by model."""
        advice = await self._advisor.advice()
        return pb.GetScalingAdviceResponse(advice=[_advice(one) for one in advice])

    async def ListFootprints(
        self, request: pb.ListFootprintsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListFootprintsResponse:
        """Return a page of what tenants' answers took; a client sees itself alone."""
        caller = current_identity()
        page, token = self._footprints.page(
            tenant=None if caller.role is Role.OPERATOR else caller.id,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListFootprintsResponse(
            footprints=[_footprint(one) for one in page], next_page_token=token
        )

    def _nodes(self) -> list[pb.NodeActivity]:
        done = _by_node(self._window.activities())
        breakers = self._breakers.states()
        return [
            self._node(
                member,
                done.get(member.name, IDLE),
                breakers.get(member.name, BreakerState.CLOSED),
            )
            for member in self._registry.present()
        ]

    def _node(
        self, member: Member, done: Activity, breaker: BreakerState
    ) -> pb.NodeActivity:
        span_s = self._window.span_s
        return pb.NodeActivity(
            node=member.name,
            state=_STATES[member.state],
            breaker=_BREAKERS[breaker],
            requests_in_flight=self._routing.in_flight(member.name),
            slots=sum(offer.slots for offer in member.offers),
            requests_per_second=done.requests / span_s,
            tokens_per_second=done.completion_tokens / span_s,
            failure_ratio=done.failure_ratio,
            first_token_ms_p50=done.first_token_ms(0.5),
            first_token_ms_p99=done.first_token_ms(0.99),
            prompt_cached_ratio=done.prompt_cached_ratio,
        )


def _by_node(activities: Mapping[Pair, Activity]) -> Mapping[str, Activity]:
    sums: dict[str, Activity] = {}
    for (node, _), activity in activities.items():
        sums[node] = sums.get(node, IDLE) + activity
    return sums


def _admission(figures: AdmissionFigures) -> pb.AdmissionActivity:
    return pb.AdmissionActivity(
        requests_running=figures.requests_running,
        requests_waiting=figures.requests_waiting,
        saturation=figures.saturation,
        requests_shed=figures.requests_shed,
        requests_rate_limited=figures.requests_rate_limited,
        tenants=figures.tenants,
    )


def _cache(figures: CacheFigures, bytes_max: Mapping[str, int]) -> pb.CacheActivity:
    return pb.CacheActivity(
        tiers=[
            pb.CacheTier(
                name=tier,
                bytes=figures.bytes_held.get(tier),
                bytes_max=bytes_max.get(tier, 0),
                hits=hits,
            )
            for tier, hits in figures.hits.items()
        ],
        hits=sum(figures.hits.values()),
        misses=figures.misses,
    )


def _advice(advice: Advice) -> pb.ScalingAdvice:
    return pb.ScalingAdvice(
        model=advice.model,
        nodes=len(advice.demand.nodes),
        nodes_to_add=advice.nodes_to_add,
        reason=advice.reason,
        arrivals_per_second=advice.demand.arrivals_per_s,
        service_seconds=advice.demand.service_s,
        utilisation=advice.demand.utilisation,
        wait_seconds=_finite(advice.wait_s),
        wait_seconds_advised=_finite(advice.wait_s_advised),
    )


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _footprint(figures: TenantTotal) -> pb.TenantFootprint:
    return pb.TenantFootprint(
        tenant=figures.tenant,
        answers=figures.answers,
        joules=figures.joules,
        co2e_mg=figures.co2e_mg,
        joules_without_intensity=figures.joules_without_intensity,
        cost=figures.cost,
        answers_cached=figures.answers_cached,
    )
