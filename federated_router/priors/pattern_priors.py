"""Which model a kind of request does best at, as the federation saw it.

Decides confidence, recency and the choice between models. Refuses to know how requests
are sorted into patterns (`patterns`) and what is routed by the answer.

The origin's rule: the best model is the argmax of confidence x sample_count x recency.
Recency is a factor on each round's counts that halves with every half-life of its age;
`accumulate` applies it when it adds rounds up, so that the sums given here already are
sample_count x recency. The rule favours models that many requests went to; whoever
wants the quality alone takes `confidence`.
"""

import math
from dataclasses import dataclass
from typing import Final

from federated_router.priors.blocks import Block
from federated_router.priors.contents import PatternCell, PatternCounts
from federated_router.priors.performance import SAMPLES_MIN
from federated_router.priors.sums import SIGMAS, Sums

_Z: Final = 1.959964
"""Two-sided 95 %, for chance and for noise alike."""


@dataclass(frozen=True, slots=True)
class PatternPrior:
    """How a model does at a pattern; `confidence` bounds its success ratio from below.

    `sample_count` is recency-weighted where several rounds were added up.
    """

    model: str
    sample_count: int
    confidence: float

    @property
    def score(self) -> float:
        """Confidence x sample_count x recency."""
        return self.confidence * self.sample_count


def read_pattern(
    sums: Sums, cell: PatternCell, *, samples_min: int = SAMPLES_MIN
) -> PatternPrior | None:
    """Return what is known of a model at a pattern; None where noise says nothing."""
    counts = sums.contents.patterns.get(cell)
    if counts is None or Block.PATTERNS not in sums.catalogue.blocks:
        return None
    noise = sums.noise_of("pattern_successes")
    if counts.requests < max(samples_min, SIGMAS * noise * math.sqrt(2), 1):
        return None
    return PatternPrior(
        cell.model, counts.requests, success_ratio_least(counts, noise=noise)
    )


@dataclass(frozen=True, slots=True)
class PatternEvidence:
    """Noised requests of one pattern at one model, to be added to own counts.

    Both lie in order: 0 <= `successes` <= `requests`; `noise` is the standard deviation
    on successes and on failures.
    """

    successes: float
    requests: float
    noise: float


def pattern_evidence(counts: PatternCounts, *, noise: float) -> PatternEvidence | None:
    """Return counts of a model at a pattern to add to own ones; None under the noise.

    `noise` is the standard deviation on successes and on failures.
    """
    if counts.requests < max(SIGMAS * noise * math.sqrt(2), 1):
        return None
    successes = min(max(float(counts.successes), 0.0), float(counts.requests))
    return PatternEvidence(successes, float(counts.requests), noise)


def best_model(
    sums: Sums, pattern: str, *, samples_min: int = SAMPLES_MIN
) -> PatternPrior | None:
    """Return the best model at a pattern; None where no model is known.

    Of equals the first in the catalogue's order is taken.
    """
    found = [
        prior
        for model in sums.catalogue.models
        if (
            prior := read_pattern(
                sums, PatternCell(pattern, model), samples_min=samples_min
            )
        )
    ]
    return max(found, key=lambda prior: prior.score, default=None)


def success_ratio_least(counts: PatternCounts, *, noise: float) -> float:
    """Return a lower bound of the success ratio, in [0, 1], for 95 % twice over.

    First the noise: with s successes of n requests the ratio p is off by
    ((1 - p) ds - p df) / n, of standard deviation noise * sqrt((1 - p)^2 + p^2) / n and
    so at most noise / n; z times that many successes are not believed. Then chance:
    Wilson's score interval (1927) of what is left. Counts weighted by recency are
    bounded too loosely, never too tightly: with weights of at most 1 the weighted
    successes vary less than as many unweighted ones.
    """
    requests = float(counts.requests)
    if requests <= 0:
        return 0.0
    share = min(max(counts.successes - _Z * noise, 0.0), requests) / requests
    square = _Z**2 / requests
    middle = share + square / 2
    width = math.sqrt(share * (1 - share) * square + square**2 / 4)
    return max(0.0, (middle - width) / (1 + square))
