"""`route`: what is asked of the router, and how its answer is told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import load_pb2, routing_pb2
from tests.support.answering_channel import (
    AnsweringChannel,
    answer_commands,
    run_command,
)

EXPLAINED = routing_pb2.ExplainRouteResponse(
    strategy="federated_priors",
    priors_revision=3,
    node="nodes/a",
    model="models/large",
    pattern="code",
    features=[routing_pb2.PromptFeature(name="words", value=12)],
    sensitivity=inference.SENSITIVITY_SENSITIVE,
    personal_data=["email", "phone"],
    models=[
        routing_pb2.ModelExpectation(
            model="models/large",
            quality=0.81,
            quality_deviation=0.02,
            latency_ms=1250,
            cost=0.0123,
            utility=0.7,
            exploration=0.05,
            local_share=0.25,
        ),
        routing_pb2.ModelExpectation(
            model="models/small", quality=0.4, rejected_by="quality_min"
        ),
    ],
    candidates=[
        routing_pb2.RouteCandidate(
            node="nodes/a",
            model="models/large",
            score=0.9,
            scores=[routing_pb2.RouteScore(scorer="queue", score=0.9, weight=1)],
        ),
        routing_pb2.RouteCandidate(
            node="nodes/b", model="models/large", rejected_by="trusted"
        ),
    ],
    counterfactuals=[
        routing_pb2.Counterfactual(
            without="priors", node="nodes/a", model="models/small"
        ),
        routing_pb2.Counterfactual(
            without="load", node="nodes/a", model="models/large"
        ),
        routing_pb2.Counterfactual(without="sensitivity"),
    ],
)
STRATEGIES = routing_pb2.ListStrategiesResponse(
    strategies=[
        routing_pb2.Strategy(
            name="least_connections",
            description="Sends a request where fewest run.",
            filters=["serves_model", "not_draining"],
            scorers=[routing_pb2.RouteScore(scorer="queue", weight=2)],
            picker="best",
            in_force=True,
        ),
        routing_pb2.Strategy(name="random", picker="random"),
    ]
)
ADVICE = load_pb2.GetScalingAdviceResponse(
    advice=[
        load_pb2.ScalingAdvice(
            model="models/m",
            nodes=2,
            nodes_to_add=1,
            reason="7 requests/s of 1 s keep 88% of 8 slots busy.",
            arrivals_per_second=7,
            service_seconds=1,
            utilisation=0.875,
            wait_seconds_advised=0.01,
        )
    ]
)
Run = Callable[..., Result]


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> AnsweringChannel:
    """Return a router that answers everything."""
    one = AnsweringChannel(
        {
            "ExplainRoute": EXPLAINED,
            "ListStrategies": STRATEGIES,
            "SetStrategy": routing_pb2.SetStrategyResponse(strategy="random"),
            "ReportOutcome": routing_pb2.ReportOutcomeResponse(model="models/m"),
            "GetScalingAdvice": ADVICE,
        }
    )
    answer_commands(one, monkeypatch)
    return one


@pytest.fixture
def run(tmp_path: Path, channel: AnsweringChannel) -> Run:
    """Return what runs `route ...`."""
    del channel
    return lambda *words: run_command(tmp_path, "route", *words)


def test_wishes_travel_as_they_were_said(run: Run, channel: AnsweringChannel) -> None:
    """Every option reaches the router, in the contract's words."""
    result = run(
        *("explain", "auto", "Hello", "--models", "a, models/b"),
        *("--quality-min", "0.5", "--cost-max", "2", "--co2e-mg-max", "9"),
        *("--latency-ms-max", "800", "--region", "eu", "--region", "us"),
        *("--sensitivity", "internal", "--tokens-max", "7"),
    )

    assert result.exit_code == 0, result.output
    (asked,) = channel.asked
    assert isinstance(asked, routing_pb2.ExplainRouteRequest)
    assert asked.generation == inference.Generation(
        request_id="explain",
        model="models/auto",
        messages=[inference.Message(role=inference.ROLE_USER, content="Hello")],
        sensitivity=inference.SENSITIVITY_INTERNAL,
        sampling=inference.Sampling(tokens_max=7),
        wishes=inference.RouteWishes(
            models=["models/a", "models/b"],
            regions=["eu", "us"],
            quality_min=0.5,
            cost_max=2,
            co2e_mg_max=9,
            latency_ms_max=800,
        ),
    )


def test_no_wishes_are_none(run: Run, channel: AnsweringChannel) -> None:
    """Absent is not zero: a floor of 0 would be a wish."""
    run("explain", "models/m")

    (asked,) = channel.asked
    assert isinstance(asked, routing_pb2.ExplainRouteRequest)
    assert not asked.generation.HasField("wishes")
    assert not asked.generation.HasField("sampling")


def test_decision_is_told_with_what_it_rests_on(run: Run) -> None:
    """Prompt, models, nodes, choice, and what would have been otherwise."""
    lines = run("explain", "models/auto").output.splitlines()

    assert lines[:4] == [
        "strategy federated_priors, priors 3",
        "taken for: code",
        "sensitivity: sensitive (found: email, phone)",
        "seen of the prompt: words 12",
    ]
    large = next(line for line in lines if line.startswith("large")).split()
    small = next(line for line in lines if line.startswith("small")).split()
    assert large == [
        *("large", "0.810", "0.020", "1,250", "0.0123", "-", "0.700"),
        *("5%", "25%", "-"),
    ]
    assert small[-1] == "quality_min"
    assert lines[-4:] == [
        "chosen: nodes/a with models/large",
        "Without what the federation learnt it would be nodes/a with models/small.",
        "Without the load it would be the same.",
        "Without the sensitivity nobody could answer it.",
    ]


def test_decision_as_json_is_the_message(run: Run) -> None:
    """Programs read the contract's own names."""
    content = json.loads(run("explain", "models/auto", "--json").output)

    assert content["models"][1]["rejectedBy"] == "quality_min"
    assert content["counterfactuals"][0]["model"] == "models/small"


def test_strategies_show_what_they_are_made_of(
    run: Run, channel: AnsweringChannel
) -> None:
    """And which one is in force; filters once, where all have the same."""
    output = run("strategies").output

    assert output.startswith("* least_connections\n")
    assert "serves_model, not_draining" in output
    assert "queue x 2" in output
    assert "\n  random\n" in output
    alike = routing_pb2.ListStrategiesResponse(strategies=STRATEGIES.strategies[:1])
    channel.answers["ListStrategies"] = alike
    told = run("strategies").output.splitlines()
    assert told[-1] == "  filters of all  serves_model, not_draining"
    assert sum("serves_model" in line for line in told) == 1


def test_set_says_what_is_in_force(run: Run, channel: AnsweringChannel) -> None:
    """By the router's word, not the command's."""
    assert run("set", "random").output == "strategy random\n"
    assert channel.asked == [routing_pb2.SetStrategyRequest(strategy="random")]


def test_outcome_is_reported_as_the_client(run: Run, channel: AnsweringChannel) -> None:
    """The router knows requests by their caller: applications are clients."""
    result = run("outcome", "r1", "--rating", "0.5", "--no-success")

    assert result.output == "counted for models/m\n"
    assert channel.callers == ["client"]
    assert channel.asked == [
        routing_pb2.ReportOutcomeRequest(request_id="r1", rating=0.5, success=False)
    ]
    run("outcome", "r1", "--judge", "1", "--as-operator")
    assert channel.callers[-1] == "c"


def test_outcome_of_nothing_is_refused_before_it_is_sent(
    run: Run, channel: AnsweringChannel
) -> None:
    """With what to say instead."""
    result = run("outcome", "r1")

    assert result.exit_code == 2
    assert "--rating, --success or" in result.output
    assert channel.asked == []


def test_scaling_shows_figures_and_reason(run: Run, channel: AnsweringChannel) -> None:
    """A queue that grows has no wait to tell."""
    output = run("scaling").output

    row = next(line for line in output.splitlines() if line.startswith("models/m"))
    assert row.split()[:6] == ["models/m", "2", "+1", "7.000", "1.000", "88%"]
    assert "ever more" in row
    assert "7 requests/s of 1 s keep 88% of 8 slots busy." in output
    assert json.loads(run("scaling", "--json").output)["advice"][0]["nodesToAdd"] == 1
    channel.answers["GetScalingAdvice"] = load_pb2.GetScalingAdviceResponse()
    assert run("scaling").output.startswith("No node serves a model")
