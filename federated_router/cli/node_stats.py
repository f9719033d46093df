"""`node stats`: what the nodes served, how fast, and at which cost in energy.

Decides how a node's own figures are shown to its operator; refuses to judge them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import grpc
import typer

from federated_router.api.v1 import ops_pb2 as pb
from federated_router.api.v1 import ops_pb2_grpc as pb_grpc
from federated_router.cli.every_node import ask_nodes, name_silent
from federated_router.cli.screen import message_content, out, print_json, table
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
)

_ANSWERED: Final = frozenset({"end", "stop", "length"})
_OWN_DOING: Final = frozenset({"cancelled", "refused"})
_MEASURES: Final = {
    pb.LATENCY_MEASURE_TIME_PER_TOKEN: "request per token",
    pb.LATENCY_MEASURE_TIME_TO_FIRST_TOKEN: "to first token",
    pb.LATENCY_MEASURE_TIME_PER_OUTPUT_TOKEN: "per further token",
}
Stats = Mapping[str, pb.GetStatsResponse]


def show_stats(
    name: Annotated[str, typer.Argument(help="A node; all of them if left out.")] = "",
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what the nodes served: latency, endings, tokens, cost and energy.

    For operators whom the nodes' configuration names in ops.statistics_readers.
    """
    found, silent = ask_nodes(federation, name, _stats)
    if as_json:
        print_json({node: message_content(own) for node, own in found.items()})
    else:
        _show(found)
    name_silent(silent)


async def _stats(channel: grpc.aio.Channel) -> pb.GetStatsResponse:
    response: pb.GetStatsResponse = await pb_grpc.OpsServiceStub(channel).GetStats(
        pb.GetStatsRequest(), timeout=CALL_TIMEOUT_S
    )
    return response


def _show(found: Stats) -> None:
    served = [(node, one) for node, own in found.items() for one in own.served]
    if not served:
        out.print("No request has ended yet.")
        return
    table(
        (
            "node",
            "model",
            "tier",
            "answered",
            "failed",
            "cancelled, refused",
            "failures",
        ),
        [ending_row(node, one) for node, one in served],
    )
    out.print()
    table(
        (
            *("node", "model", "tier", "prompt tokens", "cached", "output tokens"),
            *("cost", "joules", "energy from", "g CO2e"),
        ),
        [amount_row(node, one) for node, one in served],
    )
    out.print()
    shapes = [(node, one) for node, own in found.items() for one in own.latency_shapes]
    if not shapes:
        out.print("Too few answers for percentiles of latency.")
        return
    table(
        ("node", "model", "tier", "ms", "sample", "p50", "p95", "p99", "modes"),
        [latency_row(node, one) for node, one in shapes],
    )
    for line in mode_notes(shapes):
        out.print(line, markup=False)


def ending_row(node: str, served: pb.ServedRequests) -> tuple[object, ...]:
    """Return how a cell's requests ended as a row of a table."""
    counts = {one.ending: one.requests for one in served.endings}
    own = sum(counts.get(ending, 0) for ending in _OWN_DOING)
    failures = {
        ending: count
        for ending, count in counts.items()
        if ending not in _ANSWERED | _OWN_DOING
    }
    return (
        *_cell(node, served),
        sum(counts.get(ending, 0) for ending in _ANSWERED),
        sum(failures.values()),
        own,
        ", ".join(f"{count} {ending}" for ending, count in failures.items()) or "-",
    )


def amount_row(node: str, served: pb.ServedRequests) -> tuple[object, ...]:
    """Return what a cell's requests took as a row of a table."""
    return (
        *_cell(node, served),
        served.prompt_tokens,
        served.prompt_tokens_cached,
        served.output_tokens,
        f"{served.cost:.3g}",
        sum(one.energy_j for one in served.energy),
        ", ".join(one.source for one in served.energy) or "-",
        served.co2e_g if served.HasField("co2e_g") else "-",
    )


def latency_row(node: str, shape: pb.LatencyShape) -> tuple[object, ...]:
    """Return a sample of latencies as a row of a table."""
    return (
        *_cell(node, shape),
        _MEASURES.get(shape.measure, "-"),
        shape.samples,
        shape.p50_ms,
        shape.p95_ms,
        shape.p99_ms,
        "SEVERAL" if shape.multimodal else "one",
    )


def mode_notes(shapes: list[tuple[str, pb.LatencyShape]]) -> Iterator[str]:
    """Yield what a mark means, where there is one."""
    if any(shape.multimodal for _, shape in shapes):
        yield ""
        yield "SEVERAL: latencies gather around several values (Hartigan's dip test at"
        yield "1 %), so a percentile there may stand for no request that anybody made."


def _cell(
    node: str, counted: pb.ServedRequests | pb.LatencyShape
) -> tuple[str, str, str]:
    return (node, counted.model.removeprefix("models/"), counted.tier)
