"""RoutingService: between the contract and the router's decisions."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import grpc

from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.kit.errors import FieldInvalid, FieldRequired, RequestUnknown
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.log import get_logger
from federated_router.priors.publication import Priors
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.explanation import explained, told
from federated_router.routing.requests import (
    Assess,
    assessed,
    query_of,
    shape_of,
)
from federated_router.routing.router import Router

log = get_logger("routing")
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})
_OPERATORS = frozenset({Role.OPERATOR})


class OutcomeReports(Protocol):
    """Takes what callers say of their answers."""

    def report(self, tenant: str, request_id: str, reward: float) -> str:
        """Count a reward in [0, 1]; return the model; raise RequestUnknown."""


class RoutingServicer(pb_grpc.RoutingServiceServicer):
    """Explains and steers the router.

    Without `assess` a request is as personal as its sender says; without `outcomes` no
    request is known to report on.
    """

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ExplainRoute": _READERS,
        "ReportOutcome": _READERS,
        "ListStrategies": _READERS,
        "GetStrategy": _READERS,
        "SetStrategy": _OPERATORS,
        "GetAppliedPriors": _READERS,
        "ApplyPriors": _OPERATORS,
    }

    def __init__(
        self,
        router: Router,
        priors: AppliedPriors,
        *,
        assess: Assess | None = None,
        outcomes: OutcomeReports | None = None,
    ) -> None:
        self._router = router
        self._priors = priors
        self._assess = assess
        self._outcomes = outcomes

    async def ExplainRoute(
        self, request: pb.ExplainRouteRequest, _: grpc.aio.ServicerContext
    ) -> pb.ExplainRouteResponse:
        """Return the decision and everything it rests on."""
        generation = request.generation
        found = await assessed(generation, self._assess)
        query = query_of(
            generation,
            sensitivity=found.level,
            private=generation.HasField("private_context"),
        )
        shape = shape_of(generation, tenant=current_identity().id)
        await self._router.read(query, shape)
        decision = self._router.explain(query, shape)
        return explained(decision, sensitivity=found.level, kinds=found.kinds)

    async def ReportOutcome(
        self, request: pb.ReportOutcomeRequest, _: grpc.aio.ServicerContext
    ) -> pb.ReportOutcomeResponse:
        """Count how good an answer was for the model that gave it."""
        reward = reward_of(request)
        if self._outcomes is None:
            raise RequestUnknown("This router keeps no outcomes.")
        model = self._outcomes.report(current_identity().id, request.request_id, reward)
        return pb.ReportOutcomeResponse(model=model)

    async def ListStrategies(
        self, _: pb.ListStrategiesRequest, __: grpc.aio.ServicerContext
    ) -> pb.ListStrategiesResponse:
        """Return every strategy and what it is made of."""
        in_force = self._router.strategy
        return pb.ListStrategiesResponse(
            strategies=[
                told(profile, in_force=name == in_force)
                for name, profile in sorted(self._router.strategies.items())
            ]
        )

    async def GetStrategy(
        self, _: pb.GetStrategyRequest, __: grpc.aio.ServicerContext
    ) -> pb.GetStrategyResponse:
        """Return the strategy in force and the names there are."""
        return pb.GetStrategyResponse(
            strategy=self._router.strategy, available=sorted(self._router.strategies)
        )

    async def SetStrategy(
        self, request: pb.SetStrategyRequest, _: grpc.aio.ServicerContext
    ) -> pb.SetStrategyResponse:
        """Use another strategy from the next decision on."""
        self._router.set_strategy(request.strategy)
        log.info("strategy set", strategy=request.strategy)
        return pb.SetStrategyResponse(strategy=self._router.strategy)

    async def GetAppliedPriors(
        self, _: pb.GetAppliedPriorsRequest, __: grpc.aio.ServicerContext
    ) -> pb.GetAppliedPriorsResponse:
        """Return the priors in use and those that could be applied instead."""
        return pb.GetAppliedPriorsResponse(priors=_applied(self._priors))

    async def ApplyPriors(
        self, request: pb.ApplyPriorsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ApplyPriorsResponse:
        """Decide by another revision from the next decision on."""
        if request.revision < 0:
            raise FieldInvalid(
                "Revisions begin at 1; 0 follows the newest.", field="revision"
            )
        await self._priors.choose(request.revision)
        log.info(
            "priors applied",
            revision=self._priors.revision,
            pinned=self._priors.pinned,
            operator=current_identity().member,
        )
        return pb.ApplyPriorsResponse(priors=_applied(self._priors))


def reward_of(request: pb.ReportOutcomeRequest) -> float:
    """Return the reward in [0, 1]: a judge's, else the rating, else success.

    Raises:
        FieldRequired: none of them is there.
        FieldInvalid: one is outside [0, 1].
    """
    for name in ("judge", "rating"):
        if request.HasField(name):
            value: float = getattr(request, name)
            if not 0.0 <= value <= 1.0:  # NaN is neither.
                raise FieldInvalid("Give 0 to 1.", field=name)
    if request.HasField("judge"):
        return request.judge
    if request.HasField("rating"):
        return request.rating
    if request.HasField("success"):
        return 1.0 if request.success else 0.0
    raise FieldRequired("Give a rating, success or a judge's figure.", field="rating")


def _applied(priors: AppliedPriors) -> pb.AppliedPriors:
    return pb.AppliedPriors(
        revision=priors.revision,
        pinned=priors.pinned,
        kept=[_kept(one) for one in priors.kept],
    )


def _kept(priors: Priors) -> pb.KeptPriors:
    message = pb.KeptPriors(
        revision=priors.revision, round=priors.round_name, members=priors.members
    )
    message.create_time.FromNanoseconds(round(priors.create_time_s * 1e9))
    return message
