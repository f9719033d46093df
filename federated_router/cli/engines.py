"""`node engines`: what runs the models of each node, and where their parts lie."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import grpc
import typer

from federated_router.api.v1 import engine_pb2 as pb
from federated_router.api.v1 import engine_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2
from federated_router.cli.every_node import ask_nodes, name_silent
from federated_router.cli.screen import message_content, out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
)

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
Engines = Sequence[pb.Engine]


def list_engines(
    name: Annotated[str, typer.Argument(help="A node; all of them if left out.")] = "",
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what runs the models of the nodes, and on which devices."""
    found, silent = ask_nodes(federation, name, _engines)
    if as_json:
        print_json(
            {node: [message_content(one) for one in own] for node, own in found.items()}
        )
    else:
        _show(found)
    name_silent(silent)


async def _engines(channel: grpc.aio.Channel) -> Engines:
    """Return a node's engines, page by page."""
    stub = pb_grpc.EngineServiceStub(channel)
    engines: list[pb.Engine] = []
    token = ""
    while True:
        page = await stub.ListEngines(
            pb.ListEnginesRequest(page_size=1000, page_token=token),
            timeout=CALL_TIMEOUT_S,
        )
        engines += page.engines
        token = page.next_page_token
        if not token:
            return engines


def _show(found: Mapping[str, Engines]) -> None:
    rows = [(node, one) for node, own in found.items() for one in own]
    table(
        (
            "node",
            "model",
            "kind",
            "architecture",
            "type",
            "context",
            "slots",
            "running",
            "waiting",
            "cache",
            "prefixes",
            "private",
        ),
        [engine_row(node, engine) for node, engine in rows],
    )
    out.print()
    table(
        ("node", "model", "part", "device", "weights"),
        [row for node, engine in rows for row in part_rows(node, engine)],
    )


def engine_row(node: str, engine: pb.Engine) -> tuple[object, ...]:
    """Return one engine as a row of a table."""
    types = [one for one in (engine.data_type, engine.quantisation) if one]
    offered = engine.private_support == inference_pb2.PRIVATE_SUPPORT_OFFERED
    return (
        node,
        engine.model.removeprefix("models/"),
        pb.EngineKind.Name(engine.kind).removeprefix("ENGINE_KIND_").lower(),
        engine.architecture or "-",
        " ".join(types) or "-",
        engine.context_tokens_max,
        engine.slots,
        engine.requests_running,
        engine.requests_waiting,
        size_text(engine.cache_bytes),
        size_text(engine.prefix_cache_bytes),
        "offered" if offered else "refused",
    )


def part_rows(node: str, engine: pb.Engine) -> list[tuple[object, ...]]:
    """Return the parts of an engine's model as rows of a table."""
    model = engine.model.removeprefix("models/")
    return [
        (node, model, part.modules, part.device, size_text(part.weight_bytes))
        for part in engine.parts
    ]


def size_text(size_bytes: int) -> str:
    """Return a memory size for people; '-' for none or unknown."""
    if not size_bytes:
        return "-"
    size, unit = float(size_bytes), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
