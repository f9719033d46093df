"""Nodes as rows of tables. Pure: messages of the contract come in, rows go out."""

from collections.abc import Mapping, Sequence
from typing import Final

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import load_pb2
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.cli.route_text import sensitivity_word

NODE_COLUMNS: Final = (
    *("node", "region", "state", "in flight", "models", "address"),
    *("breaker", "trusted with", "weight"),
)
TARIFF_COLUMNS: Final = (
    *("node", "model", "cost prompt", "cost answer"),
    *("J prompt", "J answer", "joules"),
)
_BASES: Final[Mapping[inference.EnergyBasis, str]] = {
    inference.ENERGY_BASIS_MODELLED: "modelled",
    inference.ENERGY_BASIS_MEASURED: "measured",
}
TARIFF_NOTE: Final = "Cost and joules of a thousand tokens."


def node_row(
    node: pb.Node,
    breaker: load_pb2.NodeActivity.Breaker = load_pb2.NodeActivity.BREAKER_UNSPECIFIED,
) -> tuple[object, ...]:
    """Return one node as a row under NODE_COLUMNS."""
    return (
        node.name,
        node.region,
        state_word(node.state),
        node.requests_in_flight,
        ", ".join(offer.model.removeprefix("models/") for offer in node.models),
        node.address,
        breaker_word(breaker),
        sensitivity_word(node.trusted_with),
        f"{node.weight or 1.0:g}",
    )


def state_word(state: pb.Node.State) -> str:
    """Return `ready` or `draining`."""
    return pb.Node.State.Name(state).removeprefix("STATE_").lower()


def breaker_word(breaker: load_pb2.NodeActivity.Breaker) -> str:
    """Return `closed`, `open` or `half open`; `-` where it is not told."""
    if breaker == load_pb2.NodeActivity.BREAKER_UNSPECIFIED:
        return "-"
    name = load_pb2.NodeActivity.Breaker.Name(breaker)
    return name.removeprefix("BREAKER_").replace("_", " ").lower()


def tariff_rows(nodes: Sequence[pb.Node]) -> list[tuple[object, ...]]:
    """Return the tariffs that are told, under TARIFF_COLUMNS."""
    return [
        (
            node.name,
            offer.model.removeprefix("models/"),
            *(f"{value:g}" for value in _figures(offer.tariff)),
            _BASES.get(offer.tariff.energy_basis, "-"),
        )
        for node in nodes
        for offer in node.models
        if any(_figures(offer.tariff))
    ]


def _figures(tariff: pb.Tariff) -> tuple[float, ...]:
    return (
        tariff.prompt_cost,
        tariff.completion_cost,
        tariff.prompt_joules,
        tariff.completion_joules,
    )
