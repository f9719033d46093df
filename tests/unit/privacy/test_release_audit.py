"""An audit of releases on adversarial pairs: no answer betrays more than was charged.

The auditor draws from two neighbouring inputs, counts one event, and bounds both
probabilities by Clopper and Pearson at 1e-6 each. Its lower bound on epsilon exceeds
the charged epsilon wrongly at most twice in a million runs. An audit cannot prove
privacy; it catches noise that forgets the sensitivity, and here must do so.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from scipy import stats

from federated_router.privacy.accountant import epsilon_of_rho
from federated_router.privacy.measure import bounded_range, step_rho
from federated_router.privacy.mechanisms import COUNTS_MAX, release_counts, select
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    SelectionStep,
)

ERROR_RATE = 1e-6
COUNT_DRAWS, CHOICES = 3 * COUNTS_MAX, 1500
MOVED = 5
LAPLACE = DiscreteLaplaceStep(sensitivity=Fraction(MOVED), scale=Fraction(10))
GAUSSIAN = GaussianStep(sensitivity_squared=Fraction(MOVED**2), scale=Fraction(10))
CHOICE = SelectionStep(
    sensitivity=Fraction(1), temperature=Fraction(1), monotonic=False
)
# Half of the scores move up by the sensitivity, the other half down.
UP_AND_DOWN = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0]
DOWN_AND_UP = [-score for score in UP_AND_DOWN]
GAUSSIAN_DELTA = 1e-3

Draw = Callable[[int], list[int]]


def _laplace(count: int) -> list[int]:
    return _counts(LAPLACE, count)


def _laplace_without_sensitivity(count: int) -> list[int]:
    """Draw with the noise that a sensitivity of 1 would need for the same epsilon."""
    step = DiscreteLaplaceStep(
        sensitivity=Fraction(1), scale=LAPLACE.scale / LAPLACE.sensitivity
    )
    return _counts(step, count)


def _gaussian(count: int) -> list[int]:
    return _counts(GAUSSIAN, count)


def _gaussian_without_sensitivity(count: int) -> list[int]:
    step = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(2))
    return _counts(step, count)


def _gaussian_of_variance_for_scale(count: int) -> list[int]:
    step = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction("3.16"))
    return _counts(step, count)


def test_laplace_counts_keep_their_pure_epsilon() -> None:
    """Sensitivity 5 at scale 10: epsilon 0.5, delta 0."""
    assert _count_audit(_laplace, delta=0.0) <= 0.5


def test_laplace_noise_without_the_sensitivity_is_caught() -> None:
    """Five times too little noise: epsilon is 2.5 in truth."""
    assert _count_audit(_laplace_without_sensitivity, delta=0.0) > 0.5


def test_gaussian_counts_keep_their_epsilon_at_a_delta() -> None:
    """Charged rho 1/8, read at delta 1e-3; the audit pays the same delta."""
    assert _count_audit(_gaussian, delta=GAUSSIAN_DELTA) <= _gaussian_epsilon()


@pytest.mark.parametrize(
    "broken", [_gaussian_without_sensitivity, _gaussian_of_variance_for_scale]
)
def test_gaussian_noise_that_is_too_small_is_caught(broken: Draw) -> None:
    """Both draw a right Gaussian, of a wrong scale."""
    assert _count_audit(broken, delta=GAUSSIAN_DELTA) > _gaussian_epsilon()


def test_a_selection_keeps_its_bounded_range() -> None:
    """The pair moves all odds by as much as any may, e^2.

    The audit finds 1.7 of it; one that never came near would accept anything.
    """
    bound = float(bounded_range(CHOICE))

    found = _choice_audit(lambda scores: select(scores, CHOICE))

    assert bound == 2.0
    assert 1.3 < found <= bound


def test_a_monotonic_charge_for_scores_that_move_both_ways_is_caught() -> None:
    """Half the range would be charged: 1 instead of 2."""
    claimed = SelectionStep(
        sensitivity=CHOICE.sensitivity, temperature=CHOICE.temperature, monotonic=True
    )

    assert _choice_audit(lambda scores: select(scores, claimed)) > float(
        bounded_range(claimed)
    )


def test_a_selection_without_the_sensitivity_is_caught() -> None:
    """Scores that move by 1, drawn as if they moved by a quarter."""
    colder = SelectionStep(
        sensitivity=Fraction("0.25"), temperature=Fraction("0.25"), monotonic=False
    )

    assert bounded_range(colder) == bounded_range(CHOICE)
    assert _choice_audit(lambda scores: select(scores, colder)) > 2.0


def test_a_private_argmax_is_caught() -> None:
    """Its epsilon is infinite; the audit finds several nats at this size."""
    assert _choice_audit(lambda scores: scores.index(max(scores))) > 4.0


def _gaussian_epsilon() -> float:
    return epsilon_of_rho(float(step_rho(GAUSSIAN)), delta=GAUSSIAN_DELTA)


def _count_audit(draw: Draw, *, delta: float) -> float:
    """Compare a count of 0 with one of MOVED by the event of being at least MOVED."""
    near = sum(value >= MOVED for value in draw(MOVED))
    far = sum(value >= MOVED for value in draw(0))
    return _epsilon_at_least(near, far, draws=COUNT_DRAWS, delta=delta)


def _choice_audit(pick: Callable[[Sequence[float]], int]) -> float:
    half = len(UP_AND_DOWN) // 2
    near = sum(pick(UP_AND_DOWN) < half for _ in range(CHOICES))
    far = sum(pick(DOWN_AND_UP) < half for _ in range(CHOICES))
    return _epsilon_at_least(near, far, draws=CHOICES, delta=0.0)


def _epsilon_at_least(near: int, far: int, *, draws: int, delta: float) -> float:
    """Return ln((P - delta) / Q) with P at its lower and Q at its upper bound."""
    low = stats.beta.ppf(ERROR_RATE, near, draws - near + 1) if near else 0.0
    high = stats.beta.ppf(1 - ERROR_RATE, far + 1, draws - far) if far < draws else 1.0
    return math.log(max(low - delta, 1e-300) / high)


def _counts(step: GaussianStep | DiscreteLaplaceStep, count: int) -> list[int]:
    counts = [count] * COUNTS_MAX
    return [
        value
        for _ in range(COUNT_DRAWS // COUNTS_MAX)
        for value in release_counts(counts, step)
    ]
