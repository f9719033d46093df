"""`node list` and `node drain`: what an operator sees of each node."""

import json
from pathlib import Path

import pytest

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import load_pb2, registry_pb2
from federated_router.cli.node_text import NODE_COLUMNS, node_row
from tests.support.answering_channel import (
    AnsweringChannel,
    answer_commands,
    run_command,
)

NODES = registry_pb2.ListNodesResponse(
    nodes=[
        registry_pb2.Node(
            name="nodes/a",
            address="a:1",
            region="eu",
            state=registry_pb2.Node.STATE_READY,
            weight=2.5,
            trusted_with=inference.SENSITIVITY_SENSITIVE,
            models=[
                registry_pb2.ModelOffer(
                    model="models/m",
                    tariff=registry_pb2.Tariff(
                        prompt_cost=0.5,
                        completion_joules=900,
                        energy_basis=inference.ENERGY_BASIS_MEASURED,
                    ),
                )
            ],
        ),
        registry_pb2.Node(
            name="nodes/b",
            region="us",
            state=registry_pb2.Node.STATE_DRAINING,
            models=[registry_pb2.ModelOffer(model="models/m")],
        ),
    ]
)
LOAD = load_pb2.GetLoadResponse(
    nodes=[
        load_pb2.NodeActivity(
            node="nodes/a", breaker=load_pb2.NodeActivity.BREAKER_HALF_OPEN
        )
    ]
)


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> AnsweringChannel:
    """Return a router with two nodes."""
    drained = registry_pb2.DrainNodeResponse(node=NODES.nodes[1])
    one = AnsweringChannel({"ListNodes": NODES, "GetLoad": LOAD, "DrainNode": drained})
    answer_commands(one, monkeypatch)
    return one


@pytest.mark.usefixtures("channel")
def test_list_shows_breaker_trust_weight_and_tariff(tmp_path: Path) -> None:
    """Of a node that tells none of it, what holds then."""
    lines = run_command(tmp_path, "node", "list").output.splitlines()

    first, second = (line.split() for line in lines[1:3])
    assert first[:3] == ["nodes/a", "eu", "ready"]
    assert first[-4:] == ["half", "open", "sensitive", "2.5"]
    assert second[-3:] == ["-", "-", "1"]
    assert lines[4] == "Cost and joules of a thousand tokens."
    assert [line.split() for line in lines[6:]] == [
        ["nodes/a", "m", "0.5", "0", "0", "900", "measured"]
    ]


@pytest.mark.usefixtures("channel")
def test_list_as_json_has_nodes_and_breakers(tmp_path: Path) -> None:
    """For programs."""
    content = json.loads(run_command(tmp_path, "node", "list", "--json").output)

    assert [one["name"] for one in content["nodes"]] == ["nodes/a", "nodes/b"]
    assert content["breakers"] == {"nodes/a": "half open"}


def test_list_fits_a_terminal_of_common_width() -> None:
    """With names as people choose them."""
    node = registry_pb2.Node(
        name="nodes/hospital-1",
        address="node-1.example.org:7443",
        region="eu-central",
        state=registry_pb2.Node.STATE_DRAINING,
        trusted_with=inference.SENSITIVITY_SENSITIVE,
        models=[registry_pb2.ModelOffer(model="models/small")],
    )
    row = node_row(node, load_pb2.NodeActivity.BREAKER_HALF_OPEN)
    cells = zip(NODE_COLUMNS, map(str, row), strict=True)

    assert sum(max(len(name), len(cell)) + 2 for name, cell in cells) <= 130


def test_drain_says_who_drains(tmp_path: Path, channel: AnsweringChannel) -> None:
    """By the router's answer."""
    result = run_command(tmp_path, "node", "drain", "nodes/b")

    assert result.output == "nodes/b drains.\n"
    assert channel.asked == [registry_pb2.DrainNodeRequest(name="nodes/b")]
