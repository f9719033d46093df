"""RoutingService explains, lists, and takes reports, as the contract says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.kit.errors import FieldInvalid, FieldRequired, RequestUnknown
from federated_router.kit.identity import parse_uri, set_current_identity
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.service import RoutingServicer, reward_of
from federated_router.sensitivity.assessment import Assessment
from federated_router.sensitivity.levels import Sensitivity
from tests.unit.routing.placing import MODEL, Live
from tests.unit.routing.preferring import STRONG, Preferring, world


@dataclass
class Reports:
    """Takes reports of one request."""

    taken: list[tuple[str, str, float]] = field(default_factory=list)

    def report(self, tenant: str, request_id: str, reward: float) -> str:
        """Take a report of r1."""
        if request_id != "r1":
            raise RequestUnknown("No such request.")
        self.taken.append((tenant, request_id, reward))
        return MODEL


async def judged(texts: Sequence[str], declared: Sensitivity | None) -> Assessment:
    """Find a name in every text that has one."""
    if any("Ada" in text for text in texts):
        return Assessment(Sensitivity.SENSITIVE, ("person",))
    return Assessment(declared or Sensitivity.INTERNAL)


def servicer(live: Live, outcomes: Reports | None = None) -> RoutingServicer:
    """Return the service of a router."""
    priors = AppliedPriors(live.router.believe, kept_max=2, half_life_s=60.0)
    return RoutingServicer(live.router, priors, assess=judged, outcomes=outcomes)


CONTEXT: Any = None
"""No method of the service looks at the call."""


@pytest.fixture(autouse=True)
def caller() -> None:
    """Call as Ada's application."""
    set_current_identity(parse_uri("spiffe://test.example/client/ada"))


def asked(text: str = "hello", model: str = "models/auto") -> pb.ExplainRouteRequest:
    """Return a request to explain."""
    return pb.ExplainRouteRequest(
        generation=inference.Generation(
            request_id="r1",
            model=model,
            messages=[inference.Message(role=inference.ROLE_USER, content=text)],
        )
    )


async def test_explanation_tells_the_models_and_the_nodes() -> None:
    """What is expected of each model, and why each node was passed over."""
    told = await servicer(world(Preferring())).ExplainRoute(asked(), CONTEXT)

    assert (told.node, told.model) == ("nodes/a", STRONG)
    assert [one.model for one in told.models] == [STRONG, "models/weak"]
    assert told.models[0].HasField("cost")
    assert not told.models[0].HasField("latency_ms")
    assert told.sensitivity == inference.SENSITIVITY_INTERNAL
    assert {one.rejected_by for one in told.candidates} == {"", "another_model"}


async def test_explanation_tells_kinds_of_personal_data_and_never_the_data() -> None:
    """And that nobody is trusted with it, and who would have been chosen else."""
    live = Live()
    live.join("a")

    told = await servicer(live).ExplainRoute(asked("Ask Ada", MODEL), CONTEXT)

    assert told.node == ""
    assert list(told.personal_data) == ["person"]
    assert told.sensitivity == inference.SENSITIVITY_SENSITIVE
    assert [(one.without, one.node) for one in told.counterfactuals] == [
        ("sensitivity", "nodes/a")
    ]
    assert "Ada" not in str(told)


async def test_strategies_are_listed_with_their_parts() -> None:
    """Each by name, and which of them is in force."""
    live = Live()
    live.router.set_strategy("power_of_two")

    listed = await servicer(live).ListStrategies(pb.ListStrategiesRequest(), CONTEXT)

    names = [one.name for one in listed.strategies]
    assert names == sorted(live.router.strategies)
    by_name = {one.name: one for one in listed.strategies}
    assert [name for name, one in by_name.items() if one.in_force] == ["power_of_two"]
    fastest = by_name["fastest_response"]
    assert [(one.scorer, one.weight) for one in fastest.scorers] == [
        ("observed_speed", 2.0),
        ("free_slots", 1.0),
    ]
    assert fastest.picker == "best"
    assert fastest.filters[0] == "offers_private"
    assert fastest.filters[-1] == "queue_below_limit"
    assert fastest.description


async def test_report_is_the_callers_own() -> None:
    """It is counted under the caller's certificate, whatever the request says."""
    reports = Reports()
    service = servicer(Live(), reports)

    answer = await service.ReportOutcome(
        pb.ReportOutcomeRequest(request_id="r1", rating=0.75), CONTEXT
    )

    assert answer.model == MODEL
    assert reports.taken == [("ada", "r1", 0.75)]
    with pytest.raises(RequestUnknown):
        await service.ReportOutcome(
            pb.ReportOutcomeRequest(request_id="r2", success=True), CONTEXT
        )


async def test_router_without_outcomes_knows_no_request() -> None:
    """It must not thank for what it throws away."""
    with pytest.raises(RequestUnknown):
        await servicer(Live()).ReportOutcome(
            pb.ReportOutcomeRequest(request_id="r1", success=True), CONTEXT
        )


@pytest.mark.parametrize(
    ("told", "reward"),
    [
        ({"success": False}, 0.0),
        ({"success": True}, 1.0),
        ({"success": True, "rating": 0.2}, 0.2),
        ({"success": True, "rating": 0.2, "judge": 0.0}, 0.0),
        ({"rating": 1.0}, 1.0),
    ],
)
def test_judge_counts_before_rating_and_rating_before_success(
    told: dict[str, Any], reward: float
) -> None:
    """A judge that says 0 is heard too."""
    assert reward_of(pb.ReportOutcomeRequest(request_id="r1", **told)) == reward


@pytest.mark.parametrize(
    ("told", "error", "name"),
    [
        ({}, FieldRequired, "rating"),
        ({"rating": 1.01}, FieldInvalid, "rating"),
        ({"judge": float("nan"), "rating": 0.5}, FieldInvalid, "judge"),
        ({"judge": 0.5, "rating": -1.0}, FieldInvalid, "rating"),
    ],
)
def test_reward_that_is_none_is_refused(
    told: dict[str, Any], error: type[FieldInvalid], name: str
) -> None:
    """By the field that holds it."""
    with pytest.raises(error) as raised:
        reward_of(pb.ReportOutcomeRequest(request_id="r1", **told))

    assert raised.value.metadata["field"] == name
