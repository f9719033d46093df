"""One look at a router as lines that fit a terminal.

Pure: a view, the width and the height come in, lines go out. Nodes come first, and what
does not fit below is counted, not shown.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import load_pb2 as pb
from federated_router.cli.budget_text import is_guarantee
from federated_router.cli.narrow_table import Column, cut, table_lines
from federated_router.cli.node_text import breaker_word, state_word
from federated_router.cli.screen import bar
from federated_router.cli.top_view import Silence, View

ROWS_SHOWN: Final = 8
"""Of each list but the nodes."""
_BAR_WIDTH: Final = 20
_KIBI: Final = 1024.0
_WRAP_MIN: Final = 20


def screen_lines(view: View, *, width: int, height: int | None = None) -> list[str]:
    """Return the view in lines of at most `width`, at most `height` of them."""
    parts = [
        head_lines(view),
        node_lines(view.load, width=width),
        advice_lines(view.advice, width=width),
        account_lines(view.accounts, width=width),
        footprint_lines(view.footprints, width=width),
    ]
    lines = [line for part in parts if part for line in ("", *part)][1:]
    if view.has_more:
        lines.append("There are more accounts or tenants than are asked for here.")
    return [cut(line, width) for line in _fitting(lines, height)]


def silence_line(silence: Silence) -> str:
    """Return that the router does not answer, and since when."""
    since = silence.since.astimezone()
    return f"{silence.router} does not answer since {since:%H:%M:%S}; trying again."


def head_lines(view: View) -> list[str]:
    """Return strategy, admission and cache."""
    load = view.load
    at = view.at.astimezone()
    heading = (
        f"{at:%H:%M:%S}  router {view.router}  strategy {load.strategy}  priors "
        f"{load.priors_revision or 'none'}"
    )
    lines = [heading, admission_line(load.admission)]
    if load.HasField("cache"):
        lines.append(cache_line(load.cache))
    return lines


def admission_line(admission: pb.AdmissionActivity) -> str:
    """Return what runs, waits and was refused."""
    return (
        f"requests: {admission.requests_running:,} run, "
        f"{admission.requests_waiting:,} wait, {admission.saturation:.0%} full; "
        f"refused {admission.requests_shed:,} for room, "
        f"{admission.requests_rate_limited:,} for rate; tenants: {admission.tenants:,}"
    )


def cache_line(cache: pb.CacheActivity) -> str:
    """Return how often the cache answered, and what its tiers hold."""
    asked = cache.hits + cache.misses
    share = f" ({cache.hits / asked:.0%})" if asked else ""
    return f"cache: {cache.hits:,} of {asked:,} requests{share}; " + ", ".join(
        map(_tier, cache.tiers)
    )


def node_lines(load: pb.GetLoadResponse, *, width: int) -> list[str]:
    """Return what each node does, and over how long the figures are."""
    heading = f"nodes, over the last {load.window.ToSeconds()} s"
    return [heading, *table_lines(node_columns(load.nodes), width=width)]


def node_columns(nodes: Sequence[pb.NodeActivity]) -> list[Column]:
    """Return the nodes' columns; latency and failures stay longest."""

    def column(
        name: str, cells: Iterable[str], rank: int, *, to_right: bool = True
    ) -> Column:
        return Column(name, tuple(cells), rank, to_right=to_right)

    return [
        column(
            "node", (n.node.removeprefix("nodes/") for n in nodes), 0, to_right=False
        ),
        column("state", (state_word(n.state) for n in nodes), 5, to_right=False),
        column("breaker", (breaker_word(n.breaker) for n in nodes), 4, to_right=False),
        column("run/slots", (f"{n.requests_in_flight}/{n.slots}" for n in nodes), 1),
        column("req/s", (f"{n.requests_per_second:.1f}" for n in nodes), 6),
        column("tok/s", (f"{n.tokens_per_second:.0f}" for n in nodes), 7),
        column("failed", (f"{n.failure_ratio:.1%}" for n in nodes), 3),
        column("first ms p50", (_ms(n, "first_token_ms_p50") for n in nodes), 8),
        column("p99", (_ms(n, "first_token_ms_p99") for n in nodes), 2),
        column("cached", (_cached(n) for n in nodes), 9),
    ]


def advice_lines(advice: Sequence[pb.ScalingAdvice], *, width: int) -> list[str]:
    """Return who needs more or fewer nodes, and why, in whole sentences."""
    changes = [one for one in advice if one.nodes_to_add]
    if not changes:
        return ["scaling: no change advised"] if advice else []
    shown = [
        line
        for one in changes[:ROWS_SHOWN]
        for line in textwrap.wrap(
            f"{one.model.removeprefix('models/')} {one.nodes_to_add:+d}: {one.reason}",
            max(width, _WRAP_MIN),
            initial_indent="  ",
            subsequent_indent="    ",
        )
    ]
    return ["scaling", *shown, *_rest(changes)]


def account_lines(accounts: Sequence[budget_pb2.Account], *, width: int) -> list[str]:
    """Return the fullest accounts of those that carry a guarantee, blocks left out."""
    ranked = sorted(
        (
            one
            for one in accounts
            if is_guarantee(one) and one.kind != budget_pb2.Account.KIND_BLOCK
        ),
        key=lambda one: (one.free_units / max(1, one.limit_units), one.name),
    )
    if not ranked:
        return []
    shown = ranked[:ROWS_SHOWN]
    columns = [
        Column("account", tuple(one.name.removeprefix("accounts/") for one in shown)),
        Column("spent # held = free .", tuple(map(_bar, shown)), 2),
        Column(
            "epsilon",
            tuple(f"{one.spent_epsilon:.3f}/{one.epsilon:g}" for one in shown),
            1,
            to_right=True,
        ),
    ]
    return ["budgets", *table_lines(columns, width=width), *_rest(ranked)]


def footprint_lines(
    footprints: Sequence[pb.TenantFootprint], *, width: int
) -> list[str]:
    """Return the tenants that took most energy since the router's start."""
    ranked = sorted(footprints, key=lambda one: (-one.joules, one.tenant))
    if not ranked:
        return []
    shown = ranked[:ROWS_SHOWN]

    def column(name: str, cells: Iterable[str], rank: int) -> Column:
        return Column(name, tuple(cells), rank, to_right=True)

    columns = [
        Column("tenant", tuple(one.tenant for one in shown)),
        column("answers", (f"{one.answers:,}" for one in shown), 2),
        column("from cache", (f"{one.answers_cached:,}" for one in shown), 5),
        column("kJ", (f"{one.joules / 1000:,.2f}" for one in shown), 3),
        column("g CO2e", (f"{one.co2e_mg / 1000:,.3f}" for one in shown), 1),
        column("cost", (f"{one.cost:,.4f}" for one in shown), 4),
    ]
    return ["footprints", *table_lines(columns, width=width), *_rest(ranked)]


def _rest(rows: Sequence[object]) -> list[str]:
    hidden = len(rows) - ROWS_SHOWN
    return [f"  and {hidden:,} more"] if hidden > 0 else []


def _fitting(lines: list[str], height: int | None) -> list[str]:
    if height is None or len(lines) <= height:
        return lines
    kept = max(0, height - 1)
    return [*lines[:kept], f"... {len(lines) - kept} lines more"][:height]


def _ms(node: pb.NodeActivity, name: str) -> str:
    return f"{getattr(node, name):,.0f}" if node.HasField(name) else "-"


def _cached(node: pb.NodeActivity) -> str:
    if not node.HasField("prompt_cached_ratio"):
        return "-"
    return f"{node.prompt_cached_ratio:.0%}"


def _bar(account: budget_pb2.Account) -> str:
    return bar(
        account.spent_units, account.held_units, account.limit_units, width=_BAR_WIDTH
    )


def _tier(tier: pb.CacheTier) -> str:
    held = _size(tier.bytes) if tier.HasField("bytes") else "?"
    limit = f" of {_size(tier.bytes_max)}" if tier.bytes_max else ""
    return f"{tier.name} {held}{limit}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < _KIBI:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIBI
    return f"{count:.1f} GiB"
