"""Which cohorts are named, and how often without a cause."""

import numpy as np
import pytest

from coordinator.robust.chance import binomial_tail, flagged_share, trials_tail
from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.outliers import COHORTS_MIN, find_outliers
from tests.unit.robust import cohort_data
from tests.unit.robust.cohort_data import MEMBERS, SLOTS

ROUNDS = 60


def rounds_with_outliers(kind: str, *, cohorts: int, poisoned: int = 0) -> float:
    """Return in how many of ROUNDS a cohort is named that nobody poisoned."""
    dice = np.random.default_rng(21)
    named = 0
    for _ in range(ROUNDS):
        values = cohort_data.counts(kind, dice, members=cohorts * MEMBERS)
        sums = cohort_data.summed(values, dice)
        wrong = sums.sums[:poisoned] + dice.integers(0, 3000, SLOTS)
        found = find_outliers(
            cohort_data.replaced(sums, wrong), threshold=2.0, error_rate=1e-3
        )
        assert found.outlying[:poisoned].all()
        named += bool(found.outlying[poisoned:].any())
    return named / ROUNDS


@pytest.mark.parametrize("cohorts", [5, 10, 20, 50])
def test_alike_members_are_not_named(cohorts: int) -> None:
    """At a rate of 1e-3 a round, 2 of 60 rounds have probability 2e-3."""
    assert rounds_with_outliers("alike", cohorts=cohorts) <= 0.02


@pytest.mark.parametrize(
    ("kind", "others"), [("alike", 0.02), ("unlike", 0.3), ("rare", 0.05)]
)
def test_poisoned_cohorts_are_always_named_and_others_rarely(
    kind: str, others: float
) -> None:
    """Four of twenty shift all their slots by up to 600 a member.

    `others`: rounds that name an honest cohort as well; docs/robustness.md says why
    unlike members are.
    """
    assert rounds_with_outliers(kind, cohorts=20, poisoned=4) <= others


def test_very_unlike_members_are_named_without_a_cause() -> None:
    """What docs/robustness.md warns of: an outlying cohort proves nothing.

    Sizes that differ by an order of magnitude: a third of the rounds name somebody.
    """
    assert 0.15 <= rounds_with_outliers("skewed", cohorts=20) <= 0.6


def test_binomial_count_alone_would_name_unlike_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broken variant: without the design effect most rounds name somebody."""
    honest = rounds_with_outliers("rare", cohorts=20)
    monkeypatch.setattr("coordinator.robust.outliers._design_effect", lambda *_: 1.0)

    broken = rounds_with_outliers("rare", cohorts=20)

    assert honest <= 0.15
    assert broken >= 0.4


def test_few_cohorts_name_nobody() -> None:
    """Four values have no spread to speak of."""
    sums = CohortSums(
        sums=np.array([[0] * 50, [1] * 50, [0] * 50, [10_000] * 50]),
        survivors=np.full(COHORTS_MIN - 1, 5),
        share_noise=np.full(50, 1.0),
    )

    found = find_outliers(sums, threshold=2.0, error_rate=1e-3)

    assert not found.outlying.any()
    assert found.shares[3] == 1.0


def test_noise_alone_explains_a_slot_in_which_all_others_agree() -> None:
    """A median absolute deviation of 0 would make every noised slot an outlier."""
    sums = CohortSums(
        sums=np.array([[0]] * 9 + [[8]]),
        survivors=np.full(10, 5),
        share_noise=np.array([2.0]),
    )

    assert np.abs(sums.deviations).max() < 2.0


def test_share_of_flagged_normal_values_tends_to_two_deviations() -> None:
    """4.55 % of a normal distribution; more where the scale is estimated from few."""
    assert flagged_share(2_000, 2.0) == pytest.approx(0.0455, abs=0.002)
    assert flagged_share(5, 2.0) > flagged_share(20, 2.0) > 0.0455


def test_tails_of_counts_are_sums_of_their_probabilities() -> None:
    """Ten fair coins, and unequal ones that are equal after all."""
    assert binomial_tail(10, 9, 0.5) == pytest.approx(11 / 1024)
    assert binomial_tail(10, 0, 0.5) == 1.0
    assert binomial_tail(10, 11, 0.5) == 0.0
    assert trials_tail([0.5] * 10, 9) == pytest.approx(11 / 1024)
    assert trials_tail([0.1, 0.7], 2) == pytest.approx(0.07)
    assert trials_tail([], 0) == 1.0
