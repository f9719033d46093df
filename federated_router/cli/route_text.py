"""A routing decision, strategies and advice as rows and sentences for people.

Pure: messages of the contract come in, rows and lines go out.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import load_pb2, routing_pb2

EXPECTATION_COLUMNS: Final = (
    *("model", "quality", "+-", "ms", "cost", "mg CO2e", "utility"),
    *("explored", "seen here", "rejected by"),
)
SCALING_COLUMNS: Final = (
    *("model", "nodes", "add", "requests/s", "service s", "busy"),
    *("wait s", "wait s advised"),
)
_WITHOUT: Final = {
    "priors": "what the federation learnt",
    "wishes": "the wishes",
    "load": "the load",
    "carbon": "the carbon intensities",
    "sensitivity": "the sensitivity",
}
Rows = list[tuple[object, ...]]


def seen_lines(response: routing_pb2.ExplainRouteResponse) -> Iterator[str]:
    """Yield what the router saw of the prompt."""
    if response.pattern:
        yield f"taken for: {response.pattern}"
    if response.sensitivity:
        found = ", ".join(response.personal_data)
        level = sensitivity_word(response.sensitivity)
        yield f"sensitivity: {level}" + (f" (found: {found})" if found else "")
    seen = [f"{one.name} {one.value:g}" for one in response.features if one.value]
    if seen:
        yield "seen of the prompt: " + ", ".join(seen)


def expectation_rows(models: Sequence[routing_pb2.ModelExpectation]) -> Rows:
    """Return what is expected of each model under EXPECTATION_COLUMNS."""
    return [
        (
            one.model.removeprefix("models/"),
            one.quality,
            one.quality_deviation,
            _known(one.latency_ms, present=one.HasField("latency_ms"), digits=0),
            _known(one.cost, present=one.HasField("cost"), digits=4),
            _known(one.co2e_mg, present=one.HasField("co2e_mg"), digits=2),
            one.utility,
            _share(one.exploration),
            _share(one.local_share),
            one.rejected_by or "-",
        )
        for one in models
    ]


def candidate_table(
    candidates: Sequence[routing_pb2.RouteCandidate],
) -> tuple[list[str], list[list[object]]]:
    """Return headings and rows of candidates with every score."""
    names = list(
        dict.fromkeys(score.scorer for one in candidates for score in one.scores)
    )
    rows: list[list[object]] = []
    for one in candidates:
        scores = {score.scorer: score.score for score in one.scores}
        told: list[object] = [scores.get(name, "") for name in names]
        rows.append(
            [one.node, one.model, one.score, *told, one.rejected_by or "-"],
        )
    return ["node", "model", "score", *names, "rejected by"], rows


def chosen_line(response: routing_pb2.ExplainRouteResponse) -> str:
    """Return who would answer."""
    if not response.node:
        return "chosen: nobody can answer it now"
    return f"chosen: {response.node} with {response.model}"


def counterfactual_lines(
    response: routing_pb2.ExplainRouteResponse,
) -> Iterator[str]:
    """Yield what would have been chosen without each reason."""
    for one in response.counterfactuals:
        reason = _WITHOUT.get(one.without, one.without)
        if (one.node, one.model) == (response.node, response.model):
            yield f"Without {reason} it would be the same."
        elif one.node:
            yield f"Without {reason} it would be {one.node} with {one.model}."
        else:
            yield f"Without {reason} nobody could answer it."


def shared_filters(strategies: Sequence[routing_pb2.Strategy]) -> str:
    """Return the filters that every strategy has; empty where they differ."""
    kinds = {tuple(one.filters) for one in strategies}
    return ", ".join(kinds.pop()) if len(kinds) == 1 else ""


def strategy_lines(
    strategies: Sequence[routing_pb2.Strategy],
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each strategy's line, and what it is made of as labels and texts.

    Filters are told only where strategies differ by them.
    """
    alike = shared_filters(strategies)
    for one in strategies:
        mark = "*" if one.in_force else " "
        scorers = ", ".join(
            f"{score.scorer} x {score.weight:g}" for score in one.scorers
        )
        made_of = [
            ("does", one.description or "-"),
            ("filters", ", ".join(one.filters) or "none"),
            ("scorers", scorers or "none"),
            ("picker", one.picker or "-"),
        ]
        yield (
            f"{mark} {one.name}",
            [fact for fact in made_of if fact[0] != "filters" or not alike],
        )


def scaling_rows(advice: Sequence[load_pb2.ScalingAdvice]) -> Rows:
    """Return the advice for each model under SCALING_COLUMNS."""
    return [
        (
            one.model,
            one.nodes,
            f"{one.nodes_to_add:+d}" if one.nodes_to_add else "0",
            one.arrivals_per_second,
            one.service_seconds,
            f"{one.utilisation:.0%}",
            _wait(one.wait_seconds, present=one.HasField("wait_seconds")),
            _wait(
                one.wait_seconds_advised, present=one.HasField("wait_seconds_advised")
            ),
        )
        for one in advice
    ]


def sensitivity_word(level: inference.Sensitivity) -> str:
    """Return `public`, `internal` or `sensitive`; `-` where it is not told."""
    if level == inference.SENSITIVITY_UNSPECIFIED:
        return "-"
    return inference.Sensitivity.Name(level).removeprefix("SENSITIVITY_").lower()


def model_name(text: str) -> str:
    """Return the resource name; `models/` may be left out."""
    return text if text.startswith("models/") else f"models/{text}"


def _known(value: float, *, present: bool, digits: int) -> object:
    return f"{value:,.{digits}f}" if present else "-"


def _wait(value: float, *, present: bool) -> str:
    return f"{value:.3f}" if present else "ever more"


def _share(value: float) -> str:
    return f"{value:.0%}" if value else "-"
