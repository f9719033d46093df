"""Which settings of the chooser do best on questions that no figure is tested on.

The router's defaults are what is picked here: of every combination of a few round
values the one whose mean APGR is highest over DRAWS divisions of the quarter of MMLU
that `Questions.apart` keeps for this.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.settings import ChoiceSettings
from federated_router.kit.clock import ManualClock
from tests.bench.figures import Sheet
from tests.evaluate.choice import gains, seen_once, taught
from tests.evaluate.mmlu import Questions, Reals, questions, routed

FEATURE_RIDGES = (25.0, 100.0, 400.0, 1600.0, 6400.0)
WORD_RIDGES = (6.0, 24.0, 96.0, 384.0)
PATTERN_SPREADS = (0.125, 0.25, 0.5)
DRAWS = 10
TESTED = 2_000
SHOWN = 8
console = Console(width=100)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Pick settings; say where the defaults stand, and tabulate the best."""
    picking, _ = questions(data).apart()
    tried = list(combinations())
    apgrs = apgr_of(picking, tried)
    means = apgrs.mean(axis=0)
    order = np.argsort(-means)
    default = tried.index(same_as_default())
    table = Table("feature_ridge", "word_ridge", "pattern_spread", "APGR", "", box=None)
    for place in [*order[:SHOWN].tolist(), default]:
        behind = apgrs[:, order[0]] - apgrs[:, place]
        error = np.std(behind, ddof=1) / np.sqrt(DRAWS)
        table.add_row(
            *_numbers(tried[place]),
            f"{means[place]:.4f}",
            f"{behind.mean():.4f} ± {error:.4f} behind"
            + (", default" if place == default else ""),
        )
    console.print(table)
    with (folder / "settings.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=100).print(table)
    best = float(means[order[0]])
    sheet.record("choice.picking.apgr.best", best, "of the gap")
    sheet.record("choice.picking.apgr.default", float(means[default]), "of the gap")


def combinations() -> Iterator[ChoiceSettings]:
    """Yield every combination that is tried."""
    for features, words, spread in product(
        FEATURE_RIDGES, WORD_RIDGES, PATTERN_SPREADS
    ):
        yield ChoiceSettings(
            feature_ridge=features, word_ridge=words, pattern_spread=spread
        )


def same_as_default() -> ChoiceSettings:
    """Return the defaults; they must be one of the combinations."""
    return ChoiceSettings()


def apgr_of(found: Questions, tried: list[ChoiceSettings]) -> Reals:
    """Return the APGR of each division and settings, shape (draws, settings)."""
    apgrs = np.empty((DRAWS, len(tried)))
    for draw in range(DRAWS):
        train, test = found.split(draw)
        test = test[:TESTED]
        told = taught(found, train)
        for place, settings in enumerate(tried):
            scores = gains(with_settings(told, settings), found, test)
            figure = routed(scores, found.weak[test], found.strong[test])
            apgrs[draw, place] = figure.apgr
        console.print(f"division {draw}: best {apgrs[draw].max():.3f}")
    return apgrs


def with_settings(told: LinearChooser, settings: ChoiceSettings) -> LinearChooser:
    """Return a chooser of the same outcomes; settings only matter as they are solved.

    Raises ValueError where what is kept of outcomes would differ.
    """
    kept = ("word_features", "half_life_s", "models_max")
    if any(getattr(settings, one) != getattr(told._settings, one) for one in kept):
        raise ValueError("Outcomes were summed under other settings.")
    other = LinearChooser(settings, ManualClock(), see=seen_once)
    other._own = told._own
    other._changed = set(told._own)
    other.solve_changed()
    return other


def _numbers(settings: ChoiceSettings) -> tuple[str, str, str]:
    return (
        f"{settings.feature_ridge:g}",
        f"{settings.word_ridge:g}",
        f"{settings.pattern_spread:g}",
    )
