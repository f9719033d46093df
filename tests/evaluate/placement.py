"""Every strategy on a trace of conversations, under a virtual clock.

Eight nodes each read prompts one after the other, at a fixed speed, and keep the blocks
that they read last; answers take no time. The strategies are the router's own, with its
own counts and its own index of prompts: nothing of a decision is rebuilt here. Figures
are the time to the first token, the share of blocks found in a cache, and how many
times the mean the busiest node got.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from federated_router.kit.log import configure
from tests.bench.figures import Sheet
from tests.evaluate.placement_report import draw, write_table
from tests.evaluate.placement_world import Figures, play
from tests.evaluate.traces import conversation

CACHES: Final = (1000, 5000)
"""Blocks of 512 tokens that a node keeps."""

STRATEGIES: Final = (
    "random",
    "round_robin",
    "weighted_round_robin",
    "power_of_two",
    "least_connections",
    "fastest_response",
    "federated_priors",
    "prefix_affinity",
    "annealing",
)
TRACE: Final = "load/mooncake_conversation_trace.jsonl.gz"


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Play the trace for every strategy and size of cache; record, plot, tabulate."""
    configure(level="error", form="text", daemon="evaluate")
    trace = conversation(data / TRACE)
    found: dict[tuple[str, int], Figures] = {}
    for blocks in CACHES:
        for strategy in STRATEGIES:
            figures = play(trace, strategy=strategy, cache_blocks=blocks)
            found[strategy, blocks] = figures
            _record(sheet, f"{strategy}.{blocks}", figures)
    write_table(folder / "placement.md", found)
    draw(folder / "placement.png", found)


def _record(sheet: Sheet, name: str, figures: Figures) -> None:
    values: Mapping[str, tuple[float, str]] = {
        "ttft_p50_s": (figures.ttft_s(0.50), "s"),
        "ttft_p99_s": (figures.ttft_s(0.99), "s"),
        "hit_rate": (figures.hit_rate, "share"),
        "imbalance": (figures.imbalance, "times the mean"),
        "imbalance_tokens": (figures.imbalance_tokens, "times the mean"),
    }
    for figure, (value, unit) in values.items():
        sheet.record(f"placement.{figure}.{name}", value, unit)
