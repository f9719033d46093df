"""RoutingService: between the contract and the router's decisions."""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.log import get_logger
from federated_router.kit.names import resource_id
from federated_router.priors.publication import Priors
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.decision import Scored
from federated_router.routing.profile import STRATEGIES
from federated_router.routing.router import Router

log = get_logger("routing")
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})
_OPERATORS = frozenset({Role.OPERATOR})


class RoutingServicer(pb_grpc.RoutingServiceServicer):
    """Explains and steers the router."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ExplainRoute": _READERS,
        "GetStrategy": _READERS,
        "SetStrategy": _OPERATORS,
        "GetAppliedPriors": _READERS,
        "ApplyPriors": _OPERATORS,
    }

    def __init__(self, router: Router, priors: AppliedPriors) -> None:
        self._router = router
        self._priors = priors

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
