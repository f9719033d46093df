"""A table and a plot of what strategies did."""

from collections.abc import Mapping
from pathlib import Path

from tests.evaluate.placement_world import Figures

Found = Mapping[tuple[str, int], Figures]


def write_table(path: Path, found: Found) -> None:
    """Write one row a strategy and size of cache."""
    columns = ("strategy", "blocks a node", "TTFT p50 s", "p99 s", "hit rate")
    busiest = ("busiest, requests", "busiest, tokens")
    lines = [f"| {' | '.join((*columns, *busiest))} |", "|---|---|---|---|---|---|---|"]
    for (strategy, blocks), one in found.items():
        lines.append(
            f"| {strategy} | {blocks} | {one.ttft_s(0.5):.2f} | {one.ttft_s(0.99):.1f} "
            f"| {one.hit_rate:.3f} | {one.imbalance:.2f} | {one.imbalance_tokens:.2f} |"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(path: Path, found: Found) -> None:
    """Draw how many requests waited how long, a panel for each size of cache."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    caches = sorted({blocks for _, blocks in found})
    figure, panels = plt.subplots(
        1, len(caches), figsize=(12, 5), sharey=True, squeeze=False
    )
    for panel, cache in zip(panels[0], caches, strict=True):
        for (strategy, blocks), one in found.items():
            if blocks == cache:
                waits = np.sort(one.waits_s)
                shares = np.arange(1, len(waits) + 1) / len(waits)
                panel.plot(waits, shares, label=strategy, linewidth=1)
        panel.set_xscale("log")
        panel.set_xlim(0.03, 60)
        panel.set_xlabel("time to the first token, s")
        panel.set_title(f"{cache:,} blocks of 512 tokens kept by a node")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("share of requests")
    panels[0][-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
