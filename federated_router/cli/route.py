"""`route`: why a request goes where it goes, and how it is chosen."""

from typing import Annotated

import typer

from federated_router.api.v1 import load_pb2, load_pb2_grpc
from federated_router.api.v1 import routing_pb2 as pb
from federated_router.api.v1 import routing_pb2_grpc as pb_grpc
from federated_router.cli.route_explain import explain
from federated_router.cli.route_text import (
    SCALING_COLUMNS,
    scaling_rows,
    shared_filters,
    strategy_lines,
)
from federated_router.cli.screen import fact_lines, facts, out, print_message, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

app = typer.Typer(help="Routing.", no_args_is_help=True)
app.command()(explain)


@app.command()
def strategies(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List the strategies and what each is made of; the one in force is marked."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).ListStrategies(
            pb.ListStrategiesRequest(), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_message(response)
        return
    for heading, made_of in strategy_lines(response.strategies):
        out.print(heading, markup=False)
        for line in fact_lines(made_of, indent=4):
            out.print(line, markup=False)
    filters = shared_filters(response.strategies)
    if filters:
        out.print()
        facts([("filters of all", filters)])


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


@app.command()
def outcome(
    request_id: Annotated[str, typer.Argument(help="The request's own id.")],
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    rating: Annotated[
        float | None, typer.Option(help="What its reader thought, from 0 to 1.")
    ] = None,
    success: Annotated[
        bool | None,
        typer.Option("--success/--no-success", help="Whether it served its purpose."),
    ] = None,
    judge: Annotated[
        float | None, typer.Option(help="What a judge gave it, from 0 to 1.")
    ] = None,
    as_operator: Annotated[
        bool, typer.Option("--as-operator", help="The operator made the request.")
    ] = False,
) -> None:
    """Tell the router how good the answer to one of your requests was."""
    if rating is None and success is None and judge is None:
        raise typer.BadParameter(
            "Say at least one: --rating, --success or --judge.", param_hint="--rating"
        )
    request = pb.ReportOutcomeRequest(
        request_id=request_id, rating=rating, success=success, judge=judge
    )
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.RoutingServiceStub(channel).ReportOutcome(
            request, timeout=CALL_TIMEOUT_S
        ),
        caller=None if as_operator else lambda found: found.client,
    )
    out.print(f"counted for {response.model}")


@app.command()
def scaling(federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False) -> None:
    """Show how many nodes each model needs, and why."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: load_pb2_grpc.LoadServiceStub(channel).GetScalingAdvice(
            load_pb2.GetScalingAdviceRequest(), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_message(response)
        return
    if not response.advice:
        out.print("No node serves a model, and none was asked for lately.")
        return
    table(SCALING_COLUMNS, scaling_rows(response.advice))
    out.print()
    for line in fact_lines([(one.model, one.reason) for one in response.advice]):
        out.print(line, markup=False)
