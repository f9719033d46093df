"""What cohort sums become, with how much noise, and at what price."""

import numpy as np
import pytest

from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.estimators import Estimate, estimate
from coordinator.robust.settings import Estimator
from federated_router.kit.errors import FieldInvalid
from tests.unit.robust import cohort_data
from tests.unit.robust.cohort_data import COHORTS, MEMBERS, NOISE, SLOTS

ROUNDS = 20


def estimated(cohort_sums: CohortSums, estimator: Estimator) -> Estimate:
    """Return the estimate at the default threshold."""
    return estimate(cohort_sums, estimator=estimator, threshold=2.0, error_rate=1e-3)


def error(kind: str, estimator: Estimator | None, *, poisoned: int = 0) -> float:
    """Return the mean of |estimate - sum| over the sum; None adds everything up."""
    dice = np.random.default_rng(7)
    errors = []
    for _ in range(ROUNDS):
        values = cohort_data.counts(kind, dice, members=COHORTS * MEMBERS)
        sums = cohort_data.summed(values, dice)
        wrong = sums.sums[:poisoned] + dice.integers(0, 3000, SLOTS)
        sums = cohort_data.replaced(sums, wrong)
        found = (
            sums.sums.sum(axis=0)
            if estimator is None
            else estimated(sums, estimator).values
        )
        truth = values.sum(axis=0)
        errors.append(np.abs(found - truth).sum() / truth.sum())
    return float(np.mean(errors))


@pytest.mark.parametrize("estimator", Estimator)
def test_one_cohort_is_its_sum_exactly(estimator: Estimator) -> None:
    """Without cohorts nothing is estimated; the noise is that of all members."""
    sums = CohortSums(
        sums=np.array([[17, -3]]),
        survivors=np.array([9]),
        share_noise=np.array([1.0, 2.0]),
    )

    found = estimated(sums, estimator)

    assert found.values.tolist() == [17, -3]
    assert found.noise_multiple == 3.0


@pytest.mark.parametrize("survivors", [[5] * 7, [5] * 20, [2, 3, 4, 5, 6, 7, 8, 9, 10]])
@pytest.mark.parametrize("estimator", Estimator)
def test_stated_noise_is_what_members_noise_leaves_in_the_estimate(
    estimator: Estimator, survivors: list[int]
) -> None:
    """From 20,000 slots of noise alone: never above, and at most 15 % below.

    The relative error of a standard deviation over so many slots is 0.5 %; 5 of them
    are allowed, so that a right figure fails with probability below 1e-6.
    """
    dice = np.random.default_rng(11)
    members = np.array(survivors)
    scale = NOISE * np.sqrt(members)[:, None]
    drawn = np.rint(dice.normal(0.0, scale, (len(members), 20_000)))
    sums = CohortSums(
        sums=drawn.astype(np.int64),
        survivors=members,
        share_noise=np.full(20_000, NOISE),
    )

    found = estimated(sums, estimator)

    stated = found.noise_multiple * NOISE
    assert 0.85 * stated <= float(found.values.std()) <= 1.025 * stated


def test_noise_of_a_plain_sum_would_be_seen_to_be_wrong_for_the_median() -> None:
    """The broken variant: the figure of a sum understates the median's by a fifth."""
    dice = np.random.default_rng(12)
    sums = cohort_data.summed(np.zeros((100, 20_000), dtype=np.int64), dice)

    found = estimated(sums, Estimator.MEDIAN)

    assert float(found.values.std()) > 1.1 * NOISE * np.sqrt(100)


def test_alike_members_lose_little_by_any_estimator() -> None:
    """A sum errs by its noise, 4 %; the median by a quarter more."""
    plain = error("alike", None)

    for estimator in Estimator:
        assert error("alike", estimator) < 1.35 * plain


def test_poisoned_sum_is_lost_and_estimates_are_not() -> None:
    """Two cohorts of twenty suffice for a sum that is more poison than counts."""
    assert error("alike", None, poisoned=2) > 1.0

    for estimator in Estimator:
        assert error("alike", estimator, poisoned=2) < 0.08


def test_what_unlike_members_cost_is_as_documented() -> None:
    """Medians lose what few members count; means of inliers keep most of it.

    The table of docs/robustness.md, to two hundredths.
    """
    table = {
        "unlike": (0.09, 0.09, 0.055),
        "skewed": (0.31, 0.32, 0.08),
        "rare": (0.53, 0.50, 0.14),
    }

    for kind, documented in table.items():
        found = [error(kind, estimator) for estimator in Estimator]
        assert found == pytest.approx(documented, abs=0.04), kind


def test_sums_that_do_not_fit_together_are_refused() -> None:
    """Another number of cohorts, of slots, or a cohort of nobody."""
    for survivors, noise in (([5], [1.0]), ([5, 5], [1.0, 1.0]), ([5, 0], [1.0])):
        with pytest.raises(FieldInvalid):
            CohortSums(
                sums=np.zeros((2, 1), dtype=np.int64),
                survivors=np.array(survivors),
                share_noise=np.array(noise),
            )
