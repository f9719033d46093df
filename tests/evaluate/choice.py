"""Choosing between two models, by RouteLLM's protocol on MMLU.

The router's own chooser is told 1,500 outcomes of each model, one after the other as
outcomes arrive, and says what it expects of each for every other question. Baselines
are computed in the same run on the same divisions: a coin, the prompt's length, and
ridge regression over hashed words. Settings were picked on other questions (`picking`).
Where EVALUATE_EMBEDDING names an encoder's directory, the chooser is measured with its
embeddings as well.
"""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.choosing import NO_WISHES, ModelOption
from federated_router.choice.settings import ChoiceSettings
from federated_router.choice.sight import Sight, sight_of
from federated_router.kit.clock import ManualClock
from federated_router.priors.features import FEATURE_COUNT
from federated_router.priors.prompt import Prompt
from tests.bench.figures import Sheet
from tests.evaluate.embedded import embedded
from tests.evaluate.mmlu import (
    STRONG,
    WEAK,
    Places,
    Questions,
    Reals,
    Routed,
    Score,
    mean,
    over_seeds,
    questions,
)

PUBLISHED = Routed(0.603, 35.40, 71.55)
"""RouteLLM's best router on MMLU, similarity-weighted ranking trained on its data."""

STRONG_PRICE, WEAK_PRICE = 24.7, 0.24
"""Dollars per million tokens, as RouteLLM took them for its savings."""

WITH_EMBEDDING = "with the embedding"
OPTIONS = (ModelOption(WEAK), ModelOption(STRONG))
console = Console(width=100)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Measure the chooser beside its baselines."""
    _, found = questions(data).apart()
    routers: dict[str, Score] = {
        "coin": _coin,
        "prompt length": _length,
        "hashed ridge": _hashed_ridge,
        "federated-router": chooser_scores,
    }
    if encoder := os.environ.get("EVALUATE_EMBEDDING"):
        routers[WITH_EMBEDDING] = embedded_scores(found, Path(encoder))
    results = {name: over_seeds(found, score) for name, score in routers.items()}
    table = _table(results)
    console.print(table)
    _saved(folder / "mmlu.txt", table)
    ours = mean(results["federated-router"])
    sheet.record("choice.apgr.mmlu", ours.apgr, "of the gap")
    sheet.record("choice.cpt50.mmlu", ours.cpt50, "% strong calls")
    sheet.record("choice.cpt80.mmlu", ours.cpt80, "% strong calls")
    for name, figure in (("length", "prompt length"), ("hashed_ridge", "hashed ridge")):
        apgr = mean(results[figure]).apgr
        sheet.record(f"choice.apgr.{name}.mmlu", apgr, "of the gap")
    if WITH_EMBEDDING in results:
        with_embedding = mean(results[WITH_EMBEDDING]).apgr
        sheet.record("choice.apgr.embedding.mmlu", with_embedding, "of the gap")
    _record_saving(sheet, ours)


def taught(found: Questions, train: Places) -> LinearChooser:
    """Return a chooser that was told every training outcome of both models."""
    chooser = new_chooser()
    teach(chooser, found, train)
    return chooser


def embedded_scores(found: Questions, encoder: Path) -> Score:
    """Return what scores by the router's own chooser with an encoder's embeddings."""
    settings, see = embedded(found.prompts, encoder)

    def score(found: Questions, train: Places, test: Places) -> Reals:
        chooser = LinearChooser(settings, ManualClock(), see=see)
        teach(chooser, found, train)
        return gains(chooser, found, test)

    return score


def new_chooser() -> LinearChooser:
    """Return a router's chooser that knows nothing yet."""
    return LinearChooser(ChoiceSettings(), ManualClock(), see=seen_once)


@lru_cache(maxsize=20_000)
def seen_once(prompt: Prompt) -> Sight:
    """Return what a chooser sees of a prompt; every division shows the same ones."""
    return sight_of(prompt, word_features=ChoiceSettings().word_features)


def teach(chooser: LinearChooser, found: Questions, train: Places) -> None:
    """Tell a chooser outcomes, and let it solve them."""
    for place in train:
        seen = chooser.see(found.prompts[place])
        chooser.learn(WEAK, seen, float(found.weak[place]))
        chooser.learn(STRONG, seen, float(found.strong[place]))
    chooser.solve_changed()


def gains(chooser: LinearChooser, found: Questions, test: Places) -> Reals:
    """Return by how much the strong model is expected to be better at each question."""
    scores = np.empty(len(test))
    for number, place in enumerate(test):
        choice = chooser.choose(found.prompts[place], OPTIONS, NO_WISHES, explore=False)
        expected = {one.option.model: one.quality for one in choice.expectations}
        scores[number] = expected[STRONG] - expected[WEAK]
    return scores


def chooser_scores(found: Questions, train: Places, test: Places) -> Reals:
    """Score by the router's own chooser."""
    return gains(taught(found, train), found, test)


def _coin(found: Questions, train: Places, test: Places) -> Reals:
    del found, train
    return np.random.default_rng(len(test)).random(len(test))


def _length(found: Questions, train: Places, test: Places) -> Reals:
    del train
    return np.array([float(len(found.texts[place])) for place in test])


def _hashed_ridge(found: Questions, train: Places, test: Places) -> Reals:
    """Score by ridge regression of the gain over hashed words, bias and log length."""

    def rows(places: Places) -> Reals:
        matrix = np.zeros((len(places), 258))
        for row, place in enumerate(places):
            seen = seen_once(found.prompts[place])
            matrix[row, seen.places[FEATURE_COUNT:] - FEATURE_COUNT] = seen.values[
                FEATURE_COUNT:
            ]
            matrix[row, 256:] = 1.0, np.log(len(found.texts[place])) / 8
        return matrix

    known, gain = rows(train), (found.strong - found.weak)[train]
    gram = known.T @ known + 20.0 * np.eye(known.shape[1])
    return np.asarray(rows(test) @ np.linalg.solve(gram, known.T @ gain))


def _record_saving(sheet: Sheet, ours: Routed) -> None:
    """Record cost saved at 95 % of the gap, by calls as RouteLLM counts it.

    Of questions of one length; `carbon` counts what each takes.
    """
    paid = _price(ours.cpt95 / 100)
    sheet.record(
        "choice.cost_saved_by_calls.mmlu", 100 * (1 - paid / STRONG_PRICE), "%"
    )


def _price(strong_share: float) -> float:
    return strong_share * STRONG_PRICE + (1 - strong_share) * WEAK_PRICE


def _table(results: dict[str, list[Routed]]) -> Table:
    table = Table("router", "APGR", "CPT50 %", "CPT80 %", "sd of APGR", box=None)
    for name, each in results.items():
        found, spread = mean(each), float(np.std([one.apgr for one in each]))
        table.add_row(name, *_numbers(found), f"{spread:.3f}")
    table.add_row("RouteLLM's best (published)", *_numbers(PUBLISHED), "")
    return table


def _numbers(found: Routed) -> tuple[str, str, str]:
    return f"{found.apgr:.3f}", f"{found.cpt50:.1f}", f"{found.cpt80:.1f}"


def _saved(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8") as file:
        Console(file=file, width=100).print(table)
