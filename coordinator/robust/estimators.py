"""From cohort sums to the federation's sum.

Decides the estimate of each slot and how much noise is in it. Refuses to know what a
slot means, what is plausible (`plausibility`) and what poisoners achieve (`influence`).

With one cohort the estimate is its sum, exactly. With several, one number per slot is
estimated for a federation of all their members: a mean per member, times the members.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from coordinator.robust.cohort_sums import CohortSums, Flags, Reals
from coordinator.robust.outliers import Outliers, find_outliers
from coordinator.robust.settings import Estimator
from federated_router.crypto.ckks import Integers


@dataclass(frozen=True)
class Estimate:
    """The estimated sum of every slot, and what was found on the way.

    The noise in slot s has the standard deviation `noise_multiple` times that of one
    member's share in s. It says nothing of how far the estimator itself is from the
    sum: medians of skewed counts lie below their mean.
    """

    values: Integers = field(repr=False)
    noise_multiple: float
    outliers: Outliers


def estimate(
    cohort_sums: CohortSums,
    *,
    estimator: Estimator,
    threshold: float,
    error_rate: float,
) -> Estimate:
    """Return the federation's sum.

    `threshold` and `error_rate` are those of `find_outliers`.
    """
    outliers = find_outliers(cohort_sums, threshold=threshold, error_rate=error_rate)
    if cohort_sums.cohorts == 1:
        multiple = math.sqrt(cohort_sums.members)
        return Estimate(cohort_sums.sums[0].copy(), multiple, outliers)
    inliers = ~outliers.outlying
    means = _means(cohort_sums, inliers, estimator, threshold)
    values = np.rint(means * cohort_sums.members).astype(np.int64)
    return Estimate(values, _noise_multiple(cohort_sums, inliers, estimator), outliers)


def _means(
    cohort_sums: CohortSums, inliers: Flags, estimator: Estimator, threshold: float
) -> Reals:
    match estimator:
        case Estimator.MEDIAN:
            return cohort_sums.medians
        case Estimator.TRIMMED_MEAN:
            return trimmed_mean(cohort_sums, threshold)
        case Estimator.INLIER_MEAN:
            return inlier_mean(cohort_sums, inliers)


def trimmed_mean(cohort_sums: CohortSums, threshold: float) -> Reals:
    """Return the mean of the cohort means within the threshold of the median, (S,).

    At least half of them are: the scale is no less than 1.48 times the median of their
    distances from it (for thresholds from 0.68 on).
    """
    near = np.abs(cohort_sums.deviations) <= threshold
    mean: Reals = (cohort_sums.means * near).sum(axis=0) / near.sum(axis=0)
    return mean


def inlier_mean(cohort_sums: CohortSums, inliers: Flags) -> Reals:
    """Return the mean per member of the cohorts that are no outliers, (S,)."""
    total = cohort_sums.sums[inliers].sum(axis=0)
    mean: Reals = total / cohort_sums.survivors[inliers].sum()
    return mean


def _noise_multiple(
    cohort_sums: CohortSums, inliers: Flags, estimator: Estimator
) -> float:
    """Return the estimate's noise in shares of one member.

    A mean trimmed at two deviations is a little less noisy than the median, and is
    given the median's figure.
    """
    members = cohort_sums.members
    mean = members / math.sqrt(cohort_sums.survivors[inliers].sum())
    median = members * _median_deviation(cohort_sums.survivors)
    return {
        Estimator.MEDIAN: median,
        Estimator.TRIMMED_MEAN: median,
        Estimator.INLIER_MEAN: mean,
    }[estimator]


def _median_deviation(survivors: Integers) -> float:
    """Return the deviation of the median of means whose shares have deviation 1.

    Of C independent normal means with deviations 1 / sqrt(n_c) the median has, as C
    grows, deviation sqrt(C) / (2 sum of densities at the centre), that is
    sqrt(pi C / 2) / sum of sqrt(n_c). For few alike cohorts it is a little less
    (7 % at five). Where cohorts differ by more than their noise, the median is one
    middle cohort's mean: then its noise is up to sqrt(2 C / pi) times as large, and the
    difference of cohorts larger still.
    """
    cohorts = len(survivors)
    return math.sqrt(math.pi * cohorts / 2) / float(np.sqrt(survivors).sum())
