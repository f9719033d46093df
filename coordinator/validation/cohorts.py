"""Each cohort's part in a round's judgement.

Decides which opened sums are believed, and what is reported of every cohort: judged,
not to be believed, or without a sum. Refuses to estimate and to judge the round.
"""

from collections.abc import Mapping, Sequence

from coordinator.robust.outliers import Outliers
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.summation.plausibility import SlotLimits, published_slots
from coordinator.validation.report import CohortReport
from federated_router.crypto.ckks import Integers
from federated_router.kit.errors import CiphertextMalformed


def plausible_sums(opened: OpenedRound, limits: SlotLimits) -> dict[int, Integers]:
    """Return the published slots of the cohorts whose sums are plausible, by number."""
    found: dict[int, Integers] = {}
    for cohort in opened.cohorts:
        try:
            found[cohort.number] = published_slots(cohort, limits)
        except CiphertextMalformed:
            # It is left out of `found`, and reported as an outlier.
            continue
    return found


def outlying_shares(
    kept: Sequence[OpenedCohort], found: Outliers
) -> dict[int, tuple[float, bool]]:
    """Return the outlying share of each believed cohort and whether it is one."""
    return {
        cohort.number: (float(share), bool(outlying))
        for cohort, share, outlying in zip(
            kept, found.shares, found.outlying, strict=True
        )
    }


def cohort_reports(
    judged: Mapping[int, tuple[float, bool]],
    summed: Mapping[int, int],
    sizes: Sequence[int],
) -> tuple[CohortReport, ...]:
    """Return every cohort's part: judged, not to be believed, or without a sum."""
    reports = []
    for number, size in enumerate(sizes, start=1):
        unjudged = (1.0, True) if number in summed else (0.0, False)
        share, outlier = judged.get(number, unjudged)
        reports.append(
            CohortReport(number, size, summed.get(number, 0), share, outlier)
        )
    return tuple(reports)
