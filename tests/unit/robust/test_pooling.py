"""What of a round is pooled for the dip test."""

import numpy as np
import pytest

from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.dip import ALPHA, dip_test
from coordinator.robust.pooling import standardised
from tests.unit.robust import cohort_data

SPANS = [slice(0, 300), slice(300, 500)]


def sums(kind: str, dice: np.random.Generator, *, cohorts: int) -> CohortSums:
    """Return a round's sums."""
    values = cohort_data.counts(kind, dice, members=cohorts * cohort_data.MEMBERS)
    return cohort_data.summed(values, dice)


def test_noise_alone_gives_deviations_of_about_one() -> None:
    """One per cohort and block, in units of the spread."""
    dice = np.random.default_rng(1)
    values = np.zeros((1000, cohort_data.SLOTS), dtype=np.int64)

    found = standardised(cohort_data.summed(values, dice), SPANS)

    assert len(found) == 200 * 2
    assert float(np.std(found)) == pytest.approx(1.0, abs=0.15)


def test_noise_of_a_block_is_that_of_all_its_slots() -> None:
    """Where cohorts agree but for one, its distance is counted in the block's noise."""
    noise = 3.0
    block = SPANS[0].stop - SPANS[0].start
    of_block = noise * np.sqrt(block * cohort_data.MEMBERS)
    sums = np.zeros((5, cohort_data.SLOTS), dtype=np.int64)
    sums[4, 0] = round(2 * of_block)

    found = standardised(
        CohortSums(
            sums=sums,
            survivors=np.full(5, cohort_data.MEMBERS),
            share_noise=np.full(cohort_data.SLOTS, noise),
        ),
        SPANS,
    )

    assert found == pytest.approx((0, 0, 0, 0, 2, *[0] * 5), abs=0.01)


def test_few_cohorts_give_nothing_to_pool() -> None:
    """Their deviations would be those of a handful from its own middle."""
    dice = np.random.default_rng(2)

    assert standardised(sums("alike", dice, cohorts=4), SPANS) == ()


@pytest.mark.parametrize("kind", ["alike", "unlike"])
def test_pooled_rounds_show_what_one_round_cannot(kind: str) -> None:
    """Twenty cohorts of which six shift: nothing in one round, plain in ten.

    And rounds without poison stay quiet: the tested deviations have one mode.
    """
    dice = np.random.default_rng(3)
    quiet: list[float] = []
    poisoned: list[float] = []
    for _ in range(10):
        one = sums(kind, dice, cohorts=20)
        quiet += standardised(one, SPANS)
        poison = one.sums[:6] + 1_500
        poisoned += standardised(cohort_data.replaced(one, poison), SPANS)

    assert dip_test(quiet).p_value > ALPHA
    assert dip_test(poisoned).p_value <= ALPHA
