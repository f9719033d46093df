"""The plot of what members gain by sharing: APGR by the epsilon that a round costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

from tests.evaluate.federation_draws import Estimate

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

COLORS = ("tab:blue", "tab:orange", "tab:green")
FLOOR = 1.05
"""A round that costs less than its limit by this factor has its least noise."""


@dataclass(frozen=True, slots=True)
class Point:
    """Members' APGR after a round; `charged` is what one request in it cost."""

    apgr: Estimate
    charged: float


@dataclass(frozen=True, slots=True)
class Curve:
    """So many members alone, and after rounds by the epsilon that they allow."""

    members: int
    local: Estimate
    federated: Mapping[float, Point]

    def gain(self, epsilon: float) -> Estimate:
        """Return what the round adds: every draw beside its own division alone."""
        pairs = zip(self.federated[epsilon].apgr.draws, self.local.draws, strict=True)
        return Estimate(tuple(after - alone for after, alone in pairs))


@dataclass(frozen=True, slots=True)
class Curves:
    """Everything that is drawn."""

    pooled: Estimate
    each: Sequence[Curve]


def drawn(path: Path, curves: Curves) -> None:
    """Write the plot."""
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.axhline(curves.pooled.mean, color="black", linestyle="--")
    _noted(axes, curves.pooled.mean, "all outcomes in one place", "black")
    for color, curve in zip(COLORS, curves.each, strict=True):
        _curve(axes, curve, color)
    axes.axhline(0.5, color="grey", linewidth=0.8)
    _noted(axes, 0.5, "a coin", "grey")
    epsilons = list(curves.each[0].federated)
    axes.set_xscale("log", base=2)
    axes.set_xlim(epsilons[0] / 1.15, epsilons[-1] * 1.15)
    axes.xaxis.set_major_locator(FixedLocator(epsilons))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("epsilon that one request in a round may cost (delta 1e-6)")
    axes.set_ylabel("APGR on MMLU, Mixtral 8x7B or GPT-4")
    axes.set_title("What members gain by one encrypted, noised round")
    axes.plot(
        [], [], "o", color="grey", markerfacecolor="white",
        label="least noise that shares add up to:\ncosts less than allowed",
    )  # fmt: skip
    axes.legend(fontsize="small", loc="lower right", bbox_to_anchor=(1, 0.06), ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _curve(axes: Axes, curve: Curve, color: str) -> None:
    """Draw a federation: bars are the gain's error, hollow points have least noise."""
    points = curve.federated
    means = [point.apgr.mean for point in points.values()]
    errors = [curve.gain(epsilon).standard_error for epsilon in points]
    axes.errorbar(
        list(points), means, yerr=errors, fmt="-", capsize=3, color=color,
        label=f"{curve.members} members, after the round",
    )  # fmt: skip
    for epsilon, point in points.items():
        floor = point.charged * FLOOR < epsilon
        fill = "white" if floor else color
        axes.plot(epsilon, point.apgr.mean, "o", color=color, markerfacecolor=fill)
    axes.axhline(
        curve.local.mean, color=color, linestyle=":",
        label=f"{curve.members} members, alone",
    )  # fmt: skip


def _noted(axes: Axes, height: float, text: str, color: str) -> None:
    axes.annotate(
        text,
        (0.01, height),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize="small",
        color=color,
    )
