"""`round`: run a round of secure aggregation, and look at rounds."""

import secrets
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc as pb_grpc
from federated_router.cli.screen import out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

app = typer.Typer(help="Rounds of secure aggregation.", no_args_is_help=True)


@app.command("list")
def list_rounds(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List rounds, newest first."""
    response = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: pb_grpc.AggregationServiceStub(channel).ListRounds(
            pb.ListRoundsRequest(), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    table(
        ("round", "state", "joined", "in the sum", "cause"),
        [round_row(one) for one in response.rounds],
    )


@app.command()
def start(
    members: Annotated[
        int, typer.Option(min=0, help="Join until so many; 0 waits.")
    ] = 0,
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Open a round now."""
    request = pb.CreateRoundRequest(
        request_id=f"cli-{secrets.token_hex(6)}", members_expected=members
    )
    response = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: pb_grpc.AggregationServiceStub(channel).CreateRound(
            request, timeout=CALL_TIMEOUT_S
        ),
    )
    out.print(f"{response.round.name} is open; `round list` shows how it goes.")


def round_row(one: pb.Round) -> tuple[object, ...]:
    """Return one round as a row of a table."""
    return (
        one.name,
        state_name(one.state),
        one.joined_count,
        len(one.survivors),
        one.end_cause or "-",
    )


def state_name(state: pb.Round.State) -> str:
    """Return a state as people write it."""
    return pb.Round.State.Name(state).removeprefix("STATE_").lower()
