"""How a decision and a strategy are told. Translation only."""

from collections.abc import Sequence

from federated_router.api.v1 import routing_pb2 as pb
from federated_router.choice.choosing import Expectation, ModelChoice
from federated_router.routing.decision import Counterfactual, Decision, Scored
from federated_router.routing.profile import Profile
from federated_router.sensitivity.levels import Sensitivity


def explained(
    decision: Decision, *, sensitivity: Sensitivity, kinds: Sequence[str]
) -> pb.ExplainRouteResponse:
    """Return a decision with everything it rests on."""
    choice = decision.model_choice
    return pb.ExplainRouteResponse(
        strategy=decision.strategy,
        priors_revision=decision.priors_revision,
        candidates=[_candidate(one) for one in decision.candidates],
        node=decision.chosen.node if decision.chosen else "",
        model=decision.chosen.model if decision.chosen else "",
        models=[_expected(one) for one in choice.expectations] if choice else [],
        features=_features(choice),
        pattern=choice.pattern if choice else "",
        sensitivity=f"SENSITIVITY_{sensitivity.name}",
        personal_data=kinds,
        counterfactuals=[_otherwise(one) for one in decision.counterfactuals],
    )


def told(profile: Profile, *, in_force: bool) -> pb.Strategy:
    """Return what a strategy is made of."""
    return pb.Strategy(
        name=profile.name,
        description=profile.description,
        filters=profile.filter_names,
        scorers=[
            pb.RouteScore(scorer=scorer.name, weight=weight)
            for scorer, weight in profile.scorers
        ],
        picker=profile.picker.name,
        in_force=in_force,
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


def _expected(one: Expectation) -> pb.ModelExpectation:
    return pb.ModelExpectation(
        model=one.option.model,
        quality=one.quality,
        quality_deviation=one.deviation,
        latency_ms=one.option.latency_ms,
        cost=one.option.cost,
        co2e_mg=one.option.co2e_mg,
        utility=one.utility,
        exploration=one.exploration,
        rejected_by=one.rejected_by,
        local_share=one.local_share,
    )


def _features(choice: ModelChoice | None) -> list[pb.PromptFeature]:
    if choice is None:
        return []
    return [pb.PromptFeature(name=name, value=value) for name, value in choice.features]


def _otherwise(one: Counterfactual) -> pb.Counterfactual:
    return pb.Counterfactual(
        without=one.without,
        node=one.chosen.node if one.chosen else "",
        model=one.chosen.model if one.chosen else "",
    )
