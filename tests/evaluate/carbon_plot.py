"""The plot of quality by carbon: choosing alone, choosing and placing, and a coin."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

from tests.evaluate.savings import Saving

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

LABELS = {
    "home": ("choosing the model, in one region", "tab:blue"),
    "union": ("and the region, within the European Union", "tab:orange"),
    "near": ("and the region, at most 30 ms farther away", "tab:green"),
    "everywhere": ("and the region, of all eight", "tab:red"),
}


def drawn(path: Path, both: Mapping[str, Saving]) -> None:
    """Write the plot."""
    figure, axes = plt.subplots(figsize=(8, 5))
    weak_share = both["home"].weak_share
    axes.plot([weak_share, 1], [0, 1], "--", color="grey", label="a coin")
    axes.plot(1, 1, "k*", markersize=12, label="always GPT-4, its regions in turn")
    for name, (label, color) in LABELS.items():
        curve = both[name].curve[:-1]
        axes.plot(
            [one.taken for one in curve],
            [one.quality for one in curve],
            "o-",
            color=color,
            markersize=4,
            label=label,
        )
    axes.axhline(0.95, color="black", linewidth=0.6, linestyle=":")
    axes.annotate("95 %", (1.0, 0.955), fontsize="small")
    axes.set_xlabel("CO2e, of always asking GPT-4 in the same regions in turn")
    axes.set_ylabel("quality: share of the gap from Mixtral 8x7B to GPT-4")
    axes.set_title("MMLU: quality and carbon as the carbon weight rises")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlim(0, 1.05)
    axes.set_ylim(0, 1.1)
    axes.legend(fontsize="small", loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)
