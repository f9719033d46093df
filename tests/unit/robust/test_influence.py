"""What poisoners can do to an estimate, against everything that they try."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.estimators import estimate
from coordinator.robust.influence import influence
from coordinator.robust.settings import Estimator
from coordinator.robust.spoiling import poisoners_tolerated
from tests.unit.robust import cohort_data

THRESHOLD = 2.0
WIDTH = 1e9

honest = st.sampled_from([-500, -100, -10, -1, 0, 1, 10, 100, 500]) | st.integers(
    -500, 500
)
poison = honest | st.integers(-(10**9), 10**9)
"""Poison hides among honest values, or is as far from them as it gets."""


@st.composite
def attacks(draw: st.DrawFn, *, more: int = 0) -> tuple[CohortSums, CohortSums, int]:
    """Return sums, the same with arbitrary values in some cohorts, and how many."""
    cohorts = draw(st.integers(3, 12))
    spoiled = draw(st.integers(1, poisoners_tolerated(cohorts))) + more
    column = st.lists(honest, min_size=cohorts, max_size=cohorts)
    before = CohortSums(
        sums=np.array([draw(column), draw(column)]).T,
        survivors=np.array(
            draw(st.lists(st.integers(1, 6), min_size=cohorts, max_size=cohorts))
        ),
        share_noise=np.array([0.1, 5.0]),
    )
    wrong = st.lists(poison, min_size=spoiled, max_size=spoiled)
    after = cohort_data.replaced(before, np.array([draw(wrong), draw(wrong)]).T)
    return before, after, spoiled


def value_of(cohort_sums: CohortSums, estimator: Estimator) -> np.ndarray:
    """Return the estimate."""
    found = estimate(
        cohort_sums, estimator=estimator, threshold=THRESHOLD, error_rate=1e-3
    )
    return found.values


def bound_of(
    cohort_sums: CohortSums, estimator: Estimator, poisoners: int
) -> np.ndarray:
    """Return the bound as the coordinator computes it, from poisoned sums."""
    return influence(
        cohort_sums,
        estimator=estimator,
        threshold=THRESHOLD,
        poisoners=poisoners,
        plausible_width=np.full(2, WIDTH),
    )


@settings(max_examples=200)
@given(
    attack=attacks(),
    estimator=st.sampled_from([Estimator.MEDIAN, Estimator.TRIMMED_MEAN]),
)
def test_tolerated_poisoners_move_the_estimate_no_further_than_stated(
    *, attack: tuple[CohortSums, CohortSums, int], estimator: Estimator
) -> None:
    """Whatever they contribute; the bound knows only what was opened."""
    before, after, spoiled = attack

    moved = np.abs(value_of(after, estimator) - value_of(before, estimator))

    assert (moved <= bound_of(after, estimator, spoiled) + 1e-6).all()


@given(attack=attacks())
def test_bound_does_not_grow_with_what_poisoners_say(
    *, attack: tuple[CohortSums, CohortSums, int]
) -> None:
    """Fewer than half of the cohorts decide nothing: honest values bound the move.

    Order statistics of poisoned means may be poison themselves where 2p or more
    cohorts lie beyond the honest ones, so this is stated for a fourth of them.
    """
    _, after, spoiled = attack
    if 4 * spoiled >= after.cohorts:
        return

    bound = bound_of(after, Estimator.MEDIAN, spoiled)

    assert (bound <= 1_001 * after.members + 1).all()


def test_one_poisoner_moves_a_sum_by_whatever_is_plausible() -> None:
    """The broken variant: nothing but plausibility bounds the sum of one cohort."""
    dice = np.random.default_rng(3)
    before = cohort_data.summed(np.zeros((100, 2), dtype=np.int64), dice)
    after = cohort_data.replaced(before, np.array([[10**6, -(10**6)]]))

    naive = np.abs(after.sums.sum(axis=0) - before.sums.sum(axis=0))
    bound = bound_of(after, Estimator.MEDIAN, 1)

    assert (naive > 100 * bound).all()
    assert (
        np.abs(value_of(after, Estimator.MEDIAN) - value_of(before, Estimator.MEDIAN))
        <= bound
    ).all()


@pytest.mark.parametrize("estimator", Estimator)
def test_more_poisoners_than_tolerated_are_bounded_by_plausibility_alone(
    estimator: Estimator,
) -> None:
    """Then half of the cohorts may be theirs; nobody does nothing."""
    dice = np.random.default_rng(4)
    sums = cohort_data.summed(np.zeros((50, 2), dtype=np.int64), dice)

    assert bound_of(sums, estimator, 5).tolist() == [WIDTH * 50 + 1] * 2
    assert bound_of(sums, estimator, 0).tolist() == [0.0, 0.0]


def test_mean_of_inliers_promises_nothing_but_plausibility() -> None:
    """A poisoner that shifts few slots stays an inlier."""
    dice = np.random.default_rng(5)
    sums = cohort_data.summed(np.zeros((50, 2), dtype=np.int64), dice)

    assert bound_of(sums, Estimator.INLIER_MEAN, 1).tolist() == [WIDTH * 50 + 1] * 2
