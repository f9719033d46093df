"""MMLU questions with what two models made of them, and RouteLLM's protocol.

Decides what is read and how a router's scores become its figures: thresholds at the
deciles of the scores, APGR by trapezoids, CPT by interpolation (Ong et al. 2024, and
its evaluation code). Refuses to know routers. A router sees a question's text and no
label of its subject; subjects only say which members see which questions.

A quarter of the questions, by a hash of their text, is set apart: settings are picked
on it, and no figure is trained or tested on it.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated_router.priors.prompt import Prompt, prompt_of

Reals = NDArray[np.float64]
Places = NDArray[np.intp]
FILE = Path("routing/routellm_mmlu_outcomes.jsonl.gz")
TRAINING = 1_500
SEEDS = 10
BINS = 10
APART = 4
"""One question in so many is set apart for picking settings."""

WEAK, STRONG = "models/mixtral-8x7b", "models/gpt-4"


@dataclass(frozen=True, slots=True)
class Questions:
    """All questions; `weak` and `strong` are 1 where that model was right."""

    prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]
    subjects: tuple[str, ...]
    weak: Reals
    strong: Reals

    def apart(self) -> tuple["Questions", "Questions"]:
        """Return the questions that settings are picked on, and those of figures.

        A text that stands there several times is in one of the two only.
        """
        drawn = [blake2b(text.encode(), digest_size=2).digest() for text in self.texts]
        picking = np.array([one[0] % APART == 0 for one in drawn], dtype=np.bool_)
        return self.at(np.flatnonzero(picking)), self.at(np.flatnonzero(~picking))

    def at(self, places: Places) -> "Questions":
        """Return the questions at these places alone."""
        return Questions(
            prompts=tuple(self.prompts[place] for place in places),
            texts=tuple(self.texts[place] for place in places),
            subjects=tuple(self.subjects[place] for place in places),
            weak=self.weak[places],
            strong=self.strong[places],
        )

    def split(self, seed: int, training: int = TRAINING) -> tuple[Places, Places]:
        """Return places to train on, and those to test on: no text is in both."""
        order = np.random.default_rng(seed).permutation(len(self.texts))
        train = order[:training]
        seen = {self.texts[place] for place in train}
        test = [place for place in order[training:] if self.texts[place] not in seen]
        return train, np.array(test, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Routed:
    """A router's APGR, and its percentages of strong calls at 50, 80 and 95 %."""

    apgr: float
    cpt50: float
    cpt80: float
    cpt95: float = float("nan")


def questions(data: Path) -> Questions:
    """Read the questions below `data`."""
    with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return Questions(
        prompts=tuple(prompt_of([one["prompt"]]) for one in read),
        texts=tuple(one["prompt"] for one in read),
        subjects=tuple(one["subset"] for one in read),
        weak=np.array([one["weak"] for one in read], dtype=np.float64),
        strong=np.array([one["strong"] for one in read], dtype=np.float64),
    )


def curve(scores: Reals, weak: Reals, strong: Reals) -> tuple[Reals, Reals]:
    """Return shares of strong calls, rising, and the quality at each.

    Equal scores are called alike, as a threshold cannot tell them apart.
    """
    thresholds = np.quantile(scores, np.linspace(0, 1, BINS + 1))
    called = [scores >= threshold for threshold in thresholds[:-1]]
    called.append(scores > thresholds[-1])
    shares = np.array([float(np.mean(one)) for one in called])
    quality = np.array([float(np.mean(np.where(one, strong, weak))) for one in called])
    return shares[::-1], quality[::-1]


def routed(scores: Reals, weak: Reals, strong: Reals) -> Routed:
    """Return the figures of a router that calls the strong model at high scores."""
    shares, quality = curve(scores, weak, strong)
    low, high = float(np.mean(weak)), float(np.mean(strong))
    area = float(np.trapezoid(quality - low, shares))
    span = high - low
    return Routed(
        apgr=area / span,
        cpt50=100 * float(np.interp(low + 0.5 * span, quality, shares)),
        cpt80=100 * float(np.interp(low + 0.8 * span, quality, shares)),
        cpt95=100 * float(np.interp(low + 0.95 * span, quality, shares)),
    )


Score = Callable[[Questions, Places, Places], Reals]
"""Returns the tested questions' scores after seeing the outcomes of the others."""


def over_seeds(found: Questions, score: Score, seeds: int = SEEDS) -> list[Routed]:
    """Return a router's figures for each division into training and test."""
    results = []
    for seed in range(seeds):
        train, test = found.split(seed)
        scores = score(found, train, test)
        results.append(routed(scores, found.weak[test], found.strong[test]))
    return results


def mean(results: Sequence[Routed]) -> Routed:
    """Return the mean figures."""
    return Routed(
        apgr=float(np.mean([one.apgr for one in results])),
        cpt50=float(np.mean([one.cpt50 for one in results])),
        cpt80=float(np.mean([one.cpt80 for one in results])),
        cpt95=float(np.mean([one.cpt95 for one in results])),
    )
