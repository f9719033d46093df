"""`node`: which nodes are there, what runs there, and sending one no new work."""

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.cli.engines import list_engines
from federated_router.cli.node_stats import show_stats
from federated_router.cli.screen import out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.cli.shards import list_shards
from federated_router.kit.identity import Role

app = typer.Typer(help="Nodes.", no_args_is_help=True)
app.command("engines")(list_engines)
app.command("stats")(show_stats)
app.command("shards")(list_shards)


@app.command("list")
def list_nodes(
    federation: UpFile = DEFAULT_UP_FILE, *, as_json: AsJson = False
) -> None:
    """List the nodes that hold a lease."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.NodeRegistryServiceStub(channel).ListNodes(
            pb.ListNodesRequest(page_size=1000), timeout=CALL_TIMEOUT_S
        ),
    )
    if as_json:
        print_json(MessageToDict(response))
        return
    table(
        ("node", "region", "state", "in flight", "models", "address"),
        [node_row(node) for node in response.nodes],
    )


@app.command()
def drain(
    name: Annotated[str, typer.Argument(help="nodes/ID")],
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """Send a node no new work; what runs there ends in peace."""
    response = ask(
        federation,
        Role.ROUTER,
        lambda channel: pb_grpc.NodeRegistryServiceStub(channel).DrainNode(
            pb.DrainNodeRequest(name=name), timeout=CALL_TIMEOUT_S
        ),
    )
    out.print(f"{response.node.name} drains.")


def node_row(node: pb.Node) -> tuple[object, ...]:
    """Return one node as a row of a table."""
    return (
        node.name,
        node.region,
        pb.Node.State.Name(node.state).removeprefix("STATE_").lower(),
        node.requests_in_flight,
        ", ".join(offer.model.removeprefix("models/") for offer in node.models),
        node.address,
    )
