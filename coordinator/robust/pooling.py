"""One comparable number per cohort and block, pooled over rounds for the dip test.

Decides what is pooled: the block's total per member, as deviations from the round's
median. Refuses to test (`dip`) and to store (`validation.store`). A cohort that is
shifted in one block shows in that block's numbers only, so pooling over blocks thins
what it adds; pooling over rounds does not, as long as somebody shifts in each of them.
"""

from collections.abc import Sequence

import numpy as np

from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.outliers import COHORTS_MIN

_DIGITS = 3


def standardised(cohort_sums: CohortSums, spans: Sequence[slice]) -> tuple[float, ...]:
    """Return each cohort's deviation in each block, block after block.

    Deviations as `CohortSums.deviations`, rounded; none where the cohorts are too few
    to have a spread.
    """
    if cohort_sums.cohorts < COHORTS_MIN:
        return ()
    totals = CohortSums(
        sums=np.stack(
            [cohort_sums.sums[:, span].sum(axis=1) for span in spans], axis=1
        ),
        survivors=cohort_sums.survivors,
        share_noise=np.array(
            [np.sqrt((cohort_sums.share_noise[span] ** 2).sum()) for span in spans]
        ),
    )
    return tuple(np.round(totals.deviations.T.ravel(), _DIGITS).tolist())
