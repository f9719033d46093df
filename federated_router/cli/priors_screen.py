"""Priors as rows for people.

Pure: what was published comes in, rows go out. A figure that noise hides is a dash.
"""

from federated_router.api.v1 import routing_pb2 as pb
from federated_router.cli.round_story import clock_time
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.priors.publication import Priors


def kept_row(one: pb.KeptPriors, *, in_use: int) -> list[object]:
    """Return one revision as a row; the one in use has a star."""
    return [
        "*" if one.revision == in_use else "",
        one.revision,
        clock_time(one.create_time),
        one.members,
        one.round,
    ]


def cell_table(priors: Priors) -> tuple[list[str], list[list[object]]]:
    """Return headings and rows of what each cell says; latencies per token."""
    columns = ["model", "region", "tier", "requests", "success", "p50", "p95", "p99"]
    rows = [
        _row(cell, found)
        for cell in sorted(priors.performance)
        if (found := priors.read(cell)) is not None
    ]
    return [*columns, "weight"], rows


def _row(cell: Cell, found: Performance) -> list[object]:
    latencies = (found.latency_ms_p50, found.latency_ms_p95, found.latency_ms_p99)
    return [
        cell.model,
        cell.region,
        cell.tier,
        found.sample_count,
        f"{found.success_ratio:.3f}" if found.weight else "-",
        *("-" if one is None else f"{one:.1f} ms" for one in latencies),
        f"{found.weight:.2f}",
    ]
