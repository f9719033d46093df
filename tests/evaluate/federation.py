"""What members gain by sharing outcomes in encrypted, noised rounds.

Half of MMLU's questions are divided among 4, 16 or 64 members by subject, unevenly.
Each chooses between two models by its own outcomes; by those and what one round
taught, at several epsilons for each request; or as if all were pooled in one place.
Every choice is tested on the other half, by RouteLLM's protocol.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from rich.console import Console

from federated_router.kit import log
from federated_router.routing.priors_view import PriorsView
from tests.bench.figures import Sheet
from tests.evaluate.choice import chooser_scores, gains, new_chooser, teach
from tests.evaluate.mmlu import Places, Questions, questions, routed
from tests.evaluate.sharing import divided, shared

mpl.use("Agg")

from matplotlib import pyplot as plt

EPSILONS: Mapping[int, Sequence[float]] = {
    4: (0.5, 1.0, 2.0, 4.0, 8.0),
    16: (0.5, 1.0, 2.0, 4.0, 8.0),
    64: (1.0, 4.0),
}
TRAINING = 7_000
TESTED = 4_000
JUDGED = 4
SEED = 1
console = Console(width=100)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Measure every federation, and draw APGR against epsilon."""
    log.configure(level="warning", form="text", daemon="evaluate")
    found = questions(data)
    train, test = found.split(SEED, TRAINING)
    test = test[:TESTED]
    everything = chooser_scores(found, train, test)
    pooled = routed(everything, found.weak[test], found.strong[test]).apgr
    sheet.record("choice.apgr.pooled", pooled, "of the gap")
    local: dict[int, float] = {}
    federated: dict[int, dict[float, float]] = {}
    for members, epsilons in EPSILONS.items():
        parts = divided(found, train, members, SEED)
        local[members] = _apgr(found, parts, test, None)
        sheet.record(f"choice.apgr.local.{members}", local[members], "of the gap")
        federated[members] = {}
        for epsilon in epsilons:
            view = shared(found, parts, epsilon)
            apgr = _apgr(found, parts, test, view)
            federated[members][epsilon] = apgr
            name = f"choice.apgr.federated.{members}.eps{epsilon:g}"
            sheet.record(name, apgr, "of the gap")
            console.print(
                f"{members} members, epsilon {epsilon:g}: {apgr:.3f} federated, "
                f"{local[members]:.3f} local, {pooled:.3f} pooled"
            )
    _draw(folder / "apgr_by_epsilon.png", local, federated, pooled)


def _apgr(
    found: Questions,
    parts: Sequence[Places],
    test: Places,
    view: PriorsView | None,
) -> float:
    """Return the mean APGR of JUDGED members, spread over those with most and least."""
    by_size = sorted(parts, key=len)
    chosen = np.linspace(0, len(parts) - 1, min(JUDGED, len(parts))).round().astype(int)
    figures = []
    for place in chosen:
        chooser = new_chooser()
        if view is not None:
            chooser.believe(view.bandits, view.patterns)
        teach(chooser, found, by_size[place])
        scores = gains(chooser, found, test)
        figures.append(routed(scores, found.weak[test], found.strong[test]).apgr)
    return float(np.mean(figures))


def _draw(
    path: Path,
    local: Mapping[int, float],
    federated: Mapping[int, Mapping[float, float]],
    pooled: float,
) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.5))
    for color, (members, by_epsilon) in zip(
        ("tab:blue", "tab:orange", "tab:green"), federated.items(), strict=True
    ):
        axes.plot(
            list(by_epsilon),
            list(by_epsilon.values()),
            "o-",
            color=color,
            label=f"{members} members, federated",
        )
        axes.axhline(
            local[members],
            color=color,
            linestyle=":",
            label=f"{members} members, local only",
        )
    axes.axhline(pooled, color="black", linestyle="--", label="all in one place")
    axes.axhline(0.5, color="grey", linewidth=0.8, label="a coin")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("epsilon of one request in one round, at delta 1e-6")
    axes.set_ylabel("APGR on MMLU, weak to strong")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)
