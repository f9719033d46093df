"""`route explain`: which node and model a prompt would get, and why.

Decides what is asked and in which order it is told; refuses to judge the decision.
"""

from enum import StrEnum
from typing import Annotated

import typer

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.cli.route_text import (
    EXPECTATION_COLUMNS,
    candidate_table,
    chosen_line,
    counterfactual_lines,
    expectation_rows,
    model_name,
    seen_lines,
)
from federated_router.cli.screen import out, print_message, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role


class Level(StrEnum):
    """How personal a prompt is, as its sender knows it."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"

    @property
    def message(self) -> inference.Sensitivity:
        """Return the contract's value."""
        return _LEVELS[self]


_LEVELS = {
    Level.PUBLIC: inference.SENSITIVITY_PUBLIC,
    Level.INTERNAL: inference.SENSITIVITY_INTERNAL,
    Level.SENSITIVE: inference.SENSITIVITY_SENSITIVE,
}


def explain(
    model: Annotated[str, typer.Argument(help="models/ID or models/auto")],
    prompt: Annotated[str, typer.Argument(help="What would be asked.")] = "Hello",
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    models: Annotated[
        str, typer.Option(help="With models/auto, only these: ID,ID")
    ] = "",
    region: Annotated[
        list[str] | None, typer.Option(help="Only nodes there; may be repeated.")
    ] = None,
    quality_min: Annotated[
        float | None, typer.Option(help="The least reward to expect, from 0 to 1.")
    ] = None,
    cost_max: Annotated[
        float | None, typer.Option(help="The most that it may be expected to cost.")
    ] = None,
    co2e_mg_max: Annotated[
        float | None, typer.Option(help="The most CO2 equivalent, in milligrams.")
    ] = None,
    latency_ms_max: Annotated[
        float | None, typer.Option(help="The longest time to the whole answer.")
    ] = None,
    sensitivity: Annotated[
        Level | None, typer.Option(help="How personal the prompt is.")
    ] = None,
    tokens_max: Annotated[
        int | None, typer.Option(help="The most tokens to generate.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is expected of each model and node, and the choice; send nothing."""
    generation = public_generation(model_name(model), prompt)
    wishes = inference.RouteWishes(
        models=[model_name(one.strip()) for one in models.split(",") if one.strip()],
        regions=region or [],
        quality_min=quality_min,
        cost_max=cost_max,
        co2e_mg_max=co2e_mg_max,
        latency_ms_max=latency_ms_max,
    )
    if wishes != inference.RouteWishes():
        generation.wishes.CopyFrom(wishes)
    if sensitivity is not None:
        generation.sensitivity = sensitivity.message
    if tokens_max is not None:
        generation.sampling.tokens_max = tokens_max
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).ExplainRoute(
            pb.ExplainRouteRequest(generation=generation), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_message(response)
    else:
        show_decision(response)


def public_generation(model: str, prompt: str) -> inference.Generation:
    """Return a public request of one user turn."""
    message = inference.Message(role=inference.ROLE_USER, content=prompt)
    return inference.Generation(request_id="explain", model=model, messages=[message])


def show_decision(response: pb.ExplainRouteResponse) -> None:
    """Print the decision and what it rests on: prompt, models, nodes, choice."""
    out.print(f"strategy {response.strategy}, priors {response.priors_revision}")
    for line in seen_lines(response):
        out.print(line, markup=False)
    if response.models:
        out.print("\nWhat is expected of each model, the best first:")
        table(EXPECTATION_COLUMNS, expectation_rows(response.models))
    out.print("\nWhere it could run, the best first:")
    table(*candidate_table(response.candidates))
    out.print(f"\n{chosen_line(response)}", markup=False)
    for line in counterfactual_lines(response):
        out.print(line, markup=False)
