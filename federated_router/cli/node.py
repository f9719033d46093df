"""`node`: which nodes are there, what runs there, and sending one no new work."""

from typing import Annotated

import grpc
import typer
from google.protobuf.json_format import MessageToDict

from federated_router.api.v1 import load_pb2, load_pb2_grpc
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.api.v1.load_pb2 import NodeActivity
from federated_router.cli.engines import list_engines
from federated_router.cli.node_stats import show_stats
from federated_router.cli.node_text import (
    NODE_COLUMNS,
    TARIFF_COLUMNS,
    TARIFF_NOTE,
    breaker_word,
    node_row,
    tariff_rows,
)
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
    response, load = ask(federation, Role.ROUTER, _nodes)
    breakers = {one.node: one.breaker for one in load.nodes}
    if as_json:
        print_json(
            {
                **MessageToDict(response),
                "breakers": {node: breaker_word(b) for node, b in breakers.items()},
            }
        )
        return
    table(
        NODE_COLUMNS,
        [
            node_row(node, breakers.get(node.name, NodeActivity.BREAKER_UNSPECIFIED))
            for node in response.nodes
        ],
    )
    tariffs = tariff_rows(response.nodes)
    if tariffs:
        out.print(f"\n{TARIFF_NOTE}")
        table(TARIFF_COLUMNS, tariffs)


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


async def _nodes(
    channel: grpc.aio.Channel,
) -> tuple[pb.ListNodesResponse, load_pb2.GetLoadResponse]:
    """Return the nodes, and what they do."""
    nodes: pb.ListNodesResponse = await pb_grpc.NodeRegistryServiceStub(
        channel
    ).ListNodes(pb.ListNodesRequest(page_size=1000), timeout=CALL_TIMEOUT_S)
    load: load_pb2.GetLoadResponse = await load_pb2_grpc.LoadServiceStub(
        channel
    ).GetLoad(load_pb2.GetLoadRequest(), timeout=CALL_TIMEOUT_S)
    return nodes, load
