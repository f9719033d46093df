"""`route`: why a request goes where it goes."""

from collections.abc import Sequence
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.cli.screen import out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

app = typer.Typer(help="Routing.", no_args_is_help=True)


@app.command()
def explain(
    model: Annotated[str, typer.Argument(help="models/ID or models/auto")],
    prompt: Annotated[str, typer.Argument(help="What would be asked.")] = "Hello",
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show every candidate's scores and the choice, without sending anything."""
    request = pb.ExplainRouteRequest(generation=public_generation(model, prompt))
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).ExplainRoute(
            request, timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    out.print(f"strategy {response.strategy}, priors {response.priors_revision}")
    table(*candidate_table(response.candidates))
    out.print(f"chosen: {response.node} with {response.model}")


@app.command()
def strategies(federation: UpFile = DEFAULT_UP_FILE) -> None:
    """List the strategies; the one in force is marked."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).GetStrategy(
            pb.GetStrategyRequest(), timeout=CALL_TIMEOUT_S
        ),
    )
    for name in response.available:
        out.print(f"{'*' if name == response.strategy else ' '} {name}")


@app.command("set")
def set_strategy(
    strategy: Annotated[str, typer.Argument(help="From `route strategies`.")],
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Use another strategy from the next request on."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).SetStrategy(
            pb.SetStrategyRequest(strategy=strategy), timeout=CALL_TIMEOUT_S
        ),
    )
    out.print(f"strategy {response.strategy}")


def public_generation(model: str, prompt: str) -> inference.Generation:
    """Return a public request of one user turn."""
    message = inference.Message(role=inference.ROLE_USER, content=prompt)
    return inference.Generation(request_id="explain", model=model, messages=[message])


def candidate_table(
    candidates: Sequence[pb.RouteCandidate],
) -> tuple[list[str], list[list[object]]]:
    """Return headings and rows of candidates with every score."""
    names = [score.scorer for score in candidates[0].scores] if candidates else []
    rows: list[list[object]] = [
        [
            one.node,
            one.model,
            one.score,
            *(score.score for score in one.scores),
            *([""] * (len(names) - len(one.scores))),
            one.rejected_by or "-",
        ]
        for one in candidates
    ]
    return ["node", "model", "score", *names, "rejected by"], rows
