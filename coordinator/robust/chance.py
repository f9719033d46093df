"""What chance alone explains: tails of counts, and how often a median test errs.

Decides no threshold. Figures are floating point: they are compared with rates of
errors that an operator chooses, and nothing private depends on them.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

MAD_TO_DEVIATION: Final = 1.4826
"""Standard deviations of a normal distribution per median absolute deviation."""

_DRAWS: Final = 400_000
_SEED: Final = 20_000


def binomial_tail(trials: int, successes: int, probability: float) -> float:
    """Return P(at least `successes` of `trials`), each with `probability`."""
    if successes <= 0:
        return 1.0
    if successes > trials or probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    whole = math.lgamma(trials + 1)
    yes, no = math.log(probability), math.log1p(-probability)
    return min(
        1.0,
        math.fsum(
            math.exp(
                whole
                - math.lgamma(count + 1)
                - math.lgamma(trials - count + 1)
                + count * yes
                + (trials - count) * no
            )
            for count in range(successes, trials + 1)
        ),
    )


def trials_tail(probabilities: Sequence[float], successes: int) -> float:
    """Return P(at least `successes`) of independent trials of unequal probabilities.

    The Poisson binomial distribution, by convolution.
    """
    counts = np.ones(1)
    for probability in probabilities:
        counts = np.convolve(counts, [1.0 - probability, probability])
    return float(min(1.0, counts[max(0, successes) :].sum()))


@lru_cache(maxsize=64)
def flagged_share(cohorts: int, threshold: float) -> float:
    """Return how often one of so many alike normal values lies beyond the threshold.

    The threshold is in deviations from the median, estimated from the median absolute
    deviation of the same values; 4.6 % for two deviations and many values, more for
    few. Simulated from a fixed seed; relative error below 2 %.
    """
    values = np.random.default_rng(_SEED).standard_normal(
        (max(1, _DRAWS // cohorts), cohorts)
    )
    away = np.abs(values - np.median(values, axis=1, keepdims=True))
    scale = MAD_TO_DEVIATION * np.median(away, axis=1, keepdims=True)
    return float((away > threshold * scale).mean())
