"""RoutingService: between the contract and the router's decisions."""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.kit.identity import Role
from federated_router.kit.log import get_logger
from federated_router.kit.names import resource_id
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.decision import Scored
from federated_router.routing.profile import STRATEGIES
from federated_router.routing.router import Router

log = get_logger("routing")
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})


class RoutingServicer(pb_grpc.RoutingServiceServicer):
    """Explains and steers the router."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ExplainRoute": _READERS,
        "GetStrategy": _READERS,
        "SetStrategy": frozenset({Role.OPERATOR}),
    }

    def __init__(self, router: Router) -> None:
        self._router = router

    async def ExplainRoute(
        self, request: pb.ExplainRouteRequest, _: grpc.aio.ServicerContext
    ) -> pb.ExplainRouteResponse:
        """Return the decision and everything it rests on."""
        decision = self._router.explain(query_of(request.generation))
        return pb.ExplainRouteResponse(
            strategy=decision.strategy,
            priors_revision=decision.priors_revision,
            candidates=[_candidate(one) for one in decision.candidates],
            node=decision.chosen.node if decision.chosen else "",
            model=decision.chosen.model if decision.chosen else "",
        )

    async def GetStrategy(
        self, _: pb.GetStrategyRequest, __: grpc.aio.ServicerContext
    ) -> pb.GetStrategyResponse:
        """Return the strategy in force and the names there are."""
        return pb.GetStrategyResponse(
            strategy=self._router.strategy, available=sorted(STRATEGIES)
        )

    async def SetStrategy(
        self, request: pb.SetStrategyRequest, _: grpc.aio.ServicerContext
    ) -> pb.SetStrategyResponse:
        """Use another strategy from the next decision on."""
        self._router.set_strategy(request.strategy)
        log.info("strategy set", strategy=request.strategy)
        return pb.SetStrategyResponse(strategy=self._router.strategy)


def query_of(generation: inference.Generation) -> RouteQuery:
    """Return the public features of a request; raise FieldInvalid."""
    resource_id(generation.model, "models", field="generation.model")
    return RouteQuery(
        model=generation.model, private=generation.HasField("private_context")
    )


def _candidate(one: Scored) -> pb.RouteCandidate:
    return pb.RouteCandidate(
        node=one.candidate.node,
        model=one.candidate.model,
        score=one.score,
        scores=[
            pb.RouteScore(scorer=s.scorer, score=s.score, weight=s.weight)
            for s in one.scores
        ],
        rejected_by=one.rejected_by,
    )
