"""What so many poisoners can have done to a round's estimate, at most.

Decides bounds that hold for any contributions of theirs, wherever the beacon placed
them, from the sums that were opened. Refuses to say whether anybody did it. The bounds
compare the estimate with the one that the same round would have given if other values
had stood in up to so many cohorts; which cohorts, they do not know.

Not covered: poisoners that make the count slot of their cohort wrong, and so remove
the cohort (`plausibility` names it); what cohorts are dropped counts among those
spoiled. And no bound helps against more poisoners than are assumed.
"""

import numpy as np

from coordinator.robust.chance import MAD_TO_DEVIATION
from coordinator.robust.cohort_sums import CohortSums, Reals
from coordinator.robust.settings import Estimator
from coordinator.robust.spoiling import poisoners_tolerated


def influence(
    cohort_sums: CohortSums,
    *,
    estimator: Estimator,
    threshold: float,
    poisoners: int,
    plausible_width: Reals,
) -> Reals:
    """Return by how much so many poisoners moved each slot's estimate at most, (S,).

    In the unit of the sums, rounding included. `plausible_width` (S,) is the widest
    range of one member's mean that would have passed as plausible: where order
    statistics give no bound, that one remains.
    """
    if poisoners == 0:
        return np.zeros(len(cohort_sums.share_noise))
    widest = plausible_width * cohort_sums.members + 1.0
    if poisoners > poisoners_tolerated(cohort_sums.cohorts):
        return widest
    bound = _mean_shift(cohort_sums, estimator, threshold, poisoners, plausible_width)
    shift: Reals = np.minimum(bound * cohort_sums.members + 1.0, widest)
    return shift


def _mean_shift(
    cohort_sums: CohortSums,
    estimator: Estimator,
    threshold: float,
    poisoners: int,
    plausible_width: Reals,
) -> Reals:
    match estimator:
        case Estimator.MEDIAN:
            return _median_shift(cohort_sums, poisoners)
        case Estimator.TRIMMED_MEAN:
            return _trimmed_shift(cohort_sums, poisoners, threshold)
        case Estimator.INLIER_MEAN:
            return plausible_width


def _median_shift(cohort_sums: CohortSums, spoiled: int) -> Reals:
    """Return how far the medians of the means may have been moved, (S,).

    Changing p of C values moves no order statistic beyond those p places away, so the
    median of the values before lies between two order statistics of those after.
    """
    low, high = _median_range(np.sort(cohort_sums.means, axis=0), spoiled)
    medians = cohort_sums.medians
    shift: Reals = np.maximum(high - medians, medians - low)
    return shift


def _trimmed_shift(cohort_sums: CohortSums, spoiled: int, threshold: float) -> Reals:
    """Return how far the trimmed means may have been moved, (S,).

    Each lies within the threshold times its scale of its median. The median before is
    at most `shift` away; the distances from it are then at most `shift` larger, and
    their median, being an order statistic, moves as one.
    """
    shift = _median_shift(cohort_sums, spoiled)
    away = np.sort(np.abs(cohort_sums.means - cohort_sums.medians), axis=0)
    floor = cohort_sums.mean_noise.max(axis=0)
    now = np.maximum(MAD_TO_DEVIATION * np.median(away, axis=0), floor)
    _, farthest = _median_range(away, spoiled)
    before = np.maximum(MAD_TO_DEVIATION * (farthest + shift), floor)
    moved: Reals = shift + threshold * (now + before)
    return moved


def _median_range(ordered: Reals, spoiled: int) -> tuple[Reals, Reals]:
    """Return where the medians were before `spoiled` values of each column changed.

    `ordered` (C, S) rises along its columns, and 2 * spoiled < C.
    """
    cohorts = len(ordered)
    lower, upper = (cohorts - 1) // 2, cohorts // 2
    low: Reals = (ordered[lower - spoiled] + ordered[upper - spoiled]) / 2
    high: Reals = (ordered[lower + spoiled] + ordered[upper + spoiled]) / 2
    return low, high
