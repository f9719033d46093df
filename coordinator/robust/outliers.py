"""Which cohorts lie apart from the others in more slots than chance explains.

Decides when a slot is outlying (`threshold` deviations from the median, 2.0 by default)
and when a cohort is. Refuses to say why: a poisoner, a broken member and one that
serves what nobody else serves look alike (docs/robustness.md).

Slots of one member move together, so that honest cohorts of unlike members have more
outlying slots, and more unevenly many, than coins would. Both are taken from the
cohorts themselves, by medians that a minority cannot move far: the share that is usual
here, and how much it varies beyond a binomial count (the design effect, Kish 1965).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from coordinator.robust.chance import MAD_TO_DEVIATION, binomial_tail, flagged_share
from coordinator.robust.cohort_sums import CohortSums, Flags, Reals

COHORTS_MIN: Final = 5
"""Among fewer cohorts nobody is named: their median and spread say too little."""


@dataclass(frozen=True)
class Outliers:
    """By cohort: the part of its slots that are outlying, and whether it is one."""

    shares: Reals
    outlying: Flags


def find_outliers(
    cohort_sums: CohortSums, *, threshold: float, error_rate: float
) -> Outliers:
    """Return the cohorts that chance does not explain.

    `error_rate` bounds the probability that a round of alike members names any cohort,
    so far as its outlying slots vary like a binomial count with the measured design
    effect; each cohort is tested at its part of the rate.
    """
    flagged = np.abs(cohort_sums.deviations) > threshold
    counts = flagged.sum(axis=1)
    slots = flagged.shape[1]
    shares: Reals = counts / slots
    if cohort_sums.cohorts < COHORTS_MIN:
        return Outliers(shares, np.zeros(len(counts), dtype=np.bool_))
    usual = max(flagged_share(cohort_sums.cohorts, threshold), float(np.median(shares)))
    effect = _design_effect(counts.astype(np.float64), usual, slots)
    trials = max(1, math.floor(slots / effect))
    limit = error_rate / cohort_sums.cohorts
    outlying = [
        binomial_tail(trials, math.ceil(count / effect), usual) <= limit
        for count in counts.tolist()
    ]
    return Outliers(shares, np.array(outlying, dtype=np.bool_))


def _design_effect(counts: Reals, usual: float, slots: int) -> float:
    """Return how many times a binomial variance the counts vary; at least 1."""
    deviation = MAD_TO_DEVIATION * float(np.median(np.abs(counts - np.median(counts))))
    expected = slots * usual * (1.0 - usual)
    return max(1.0, deviation**2 / expected) if expected else 1.0
