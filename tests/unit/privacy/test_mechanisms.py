"""Releases take only what their bound covers, and draw with the scale they charge."""

import math
from fractions import Fraction

import opendp.prelude as dp
import pytest

from federated_router.kit.errors import FieldInvalid, Internal
from federated_router.privacy import mechanisms
from federated_router.privacy.mechanisms import (
    CANDIDATES_MAX,
    COUNT_MAX,
    COUNTS_MAX,
    release_counts,
    release_number,
    select,
)
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    SelectionStep,
)

ONE = Fraction(1)
GAUSSIAN = GaussianStep(sensitivity_squared=ONE, scale=Fraction("0.001"))
LAPLACE = LaplaceStep(sensitivity=ONE, scale=Fraction("0.001"))
WHOLE_LAPLACE = DiscreteLaplaceStep(sensitivity=ONE, scale=Fraction("0.001"))
CHOICE = SelectionStep(sensitivity=ONE, temperature=Fraction("0.01"), monotonic=False)


@pytest.mark.parametrize("step", [GAUSSIAN, LAPLACE])
@pytest.mark.parametrize(
    ("value", "clamped"), [(7.5, 5.0), (-7.5, 0.0), (2.5, 2.5), (10**14, 5.0)]
)
def test_a_number_is_clamped_before_it_is_noised(
    step: GaussianStep | LaplaceStep, value: float, clamped: float
) -> None:
    """A value outside its bounds would move by more than the sensitivity.

    Noise of scale 0.001 exceeds 0.1 with probability below 1e-43.
    """
    released = release_number(value, lower=0.0, upper=5.0, step=step)

    assert released == pytest.approx(clamped, abs=0.1)
    assert released != clamped


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e16, 10**400, True])
@pytest.mark.parametrize("field", ["value", "lower", "upper"])
def test_numbers_that_are_not_finite_and_bounded_are_refused(
    field: str, value: float
) -> None:
    """NaN would pass a clamp; infinity would swallow the noise."""
    given = {"value": 1.0, "lower": 0.0, "upper": 5.0, field: value}

    with pytest.raises(FieldInvalid) as caught:
        release_number(
            given["value"], lower=given["lower"], upper=given["upper"], step=GAUSSIAN
        )

    assert caught.value.metadata["field"] == field


def test_exact_bounds_are_rounded_inwards() -> None:
    """0.3 and 0.8 are 0.5 apart; their nearest doubles lie further apart.

    A value on a bound would then move by more than the sensitivity that is charged.
    """
    lower, upper = Fraction("0.3"), Fraction("0.8")
    step = LaplaceStep(sensitivity=upper - lower, scale=Fraction("0.000001"))
    drawn: list[float] = []
    assert Fraction(0.8) - Fraction(0.3) > step.sensitivity

    def without_noise(value: float) -> float:
        drawn.append(value)
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mechanisms, "_number_noise", lambda _: without_noise)
        for value in (0.0, 1.0):
            release_number(value, lower=lower, upper=upper, step=step)

    assert Fraction(drawn[1]) - Fraction(drawn[0]) <= step.sensitivity
    assert Fraction(math.nextafter(drawn[1], 1)) > upper
    assert Fraction(math.nextafter(drawn[0], 0)) < lower


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (Fraction(10**16), Fraction(10**17)),
        (Fraction(-(10**16)), Fraction(0)),
        (Fraction(1) + Fraction(1, 10**18), Fraction(1) + Fraction(2, 10**18)),
    ],
)
def test_exact_bounds_without_a_double_between_them_are_refused(
    lower: Fraction, upper: Fraction
) -> None:
    """Rounding outwards instead would widen the bounds."""
    with pytest.raises(FieldInvalid):
        release_number(1.0, lower=lower, upper=upper, step=GAUSSIAN)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    """Clamping to them would return a bound whatever the value."""
    with pytest.raises(FieldInvalid):
        release_number(1.0, lower=2.0, upper=1.0, step=GAUSSIAN)


@pytest.mark.parametrize("step", [GAUSSIAN, WHOLE_LAPLACE])
def test_the_largest_counts_are_released_without_wrapping(
    step: GaussianStep | DiscreteLaplaceStep,
) -> None:
    """A count that wraps around has another sign; one that stops short is biased."""
    assert release_counts([COUNT_MAX, -COUNT_MAX, 0], step) == [
        COUNT_MAX,
        -COUNT_MAX,
        0,
    ]


@pytest.mark.parametrize(
    "step",
    [
        GaussianStep(sensitivity_squared=Fraction(10**18), scale=Fraction(10**9)),
        DiscreteLaplaceStep(sensitivity=Fraction(10**9), scale=Fraction(10**9)),
    ],
)
def test_the_largest_noise_on_the_largest_count_stays_far_from_saturation(
    step: GaussianStep | DiscreteLaplaceStep,
) -> None:
    """At scale 10^9 noise above 10^12 has probability below e^-990.

    2^63 is ten million times as far as that.
    """
    released = release_counts([COUNT_MAX] * 50, step)

    assert all(abs(value - COUNT_MAX) < 10**12 for value in released)
    assert len(set(released)) > 40


@pytest.mark.parametrize(
    "counts",
    [
        [],
        [0] * (COUNTS_MAX + 1),
        [COUNT_MAX + 1],
        [-COUNT_MAX - 1],
        [2**63],
        [1.0],
        [math.nan],
        [True],
        ["1"],
    ],
)
def test_counts_that_no_integer_noise_covers_are_refused(counts: list[int]) -> None:
    """The library would saturate at 2^63 without a word, and round floats."""
    for step in (GAUSSIAN, WHOLE_LAPLACE):
        with pytest.raises(FieldInvalid):
            release_counts(counts, step)


@pytest.mark.parametrize(
    "step",
    [
        GaussianStep(sensitivity_squared=Fraction("0.99"), scale=ONE),
        DiscreteLaplaceStep(sensitivity=Fraction("0.5"), scale=ONE),
    ],
)
def test_whole_counts_cannot_move_by_less_than_one(
    step: GaussianStep | DiscreteLaplaceStep,
) -> None:
    """Such a claim is a mistake, and would undercharge."""
    with pytest.raises(FieldInvalid):
        release_counts([1, 2, 3], step)


def test_limits_of_length_are_inclusive() -> None:
    """The limit itself is served."""
    assert len(release_counts([5] * COUNTS_MAX, WHOLE_LAPLACE)) == COUNTS_MAX
    assert 0 <= select([0.0] * CANDIDATES_MAX, CHOICE) < CANDIDATES_MAX


@pytest.mark.parametrize(
    "scores",
    [[], [0.0] * (CANDIDATES_MAX + 1), [1.0, math.nan], [math.inf], [1e16], [True]],
)
def test_scores_that_cannot_be_compared_are_refused(scores: list[float]) -> None:
    """A NaN wins or loses by accident; an infinite score wins with certainty."""
    with pytest.raises(FieldInvalid):
        select(scores, CHOICE)


def test_a_sole_candidate_and_a_far_better_one_are_chosen() -> None:
    """A lead of 1000 temperatures is lost with probability e^-1000."""
    assert select([3.0], CHOICE) == 0
    assert select([0.0, 10.0, 0.0], CHOICE) == 1


@pytest.mark.parametrize(
    ("sensitivity", "scale"), [(1, 10**8), (10**9, Fraction(1, 10**9))]
)
def test_a_step_without_a_price_is_not_released(
    sensitivity: int, scale: Fraction
) -> None:
    """What no ledger can hold, nobody has paid for."""
    moved, wide = Fraction(sensitivity), Fraction(scale)

    with pytest.raises(FieldInvalid):
        release_number(
            1.0, lower=0, upper=1, step=LaplaceStep(sensitivity=moved, scale=wide)
        )
    with pytest.raises(FieldInvalid):
        release_counts([1], DiscreteLaplaceStep(sensitivity=moved, scale=wide))
    with pytest.raises(FieldInvalid):
        select(
            [1.0], SelectionStep(sensitivity=moved, temperature=wide, monotonic=False)
        )


@pytest.mark.parametrize("scale", ["0.1", "0.3", "1", "123.456789", "0.000000001"])
def test_the_scale_drawn_with_is_never_below_the_one_charged(scale: str) -> None:
    """Half of all decimals lie above their nearest double."""
    exact = Fraction(scale)
    drawn = mechanisms._at_least(exact)

    assert drawn >= exact
    assert math.nextafter(drawn, 0.0) < exact


def test_a_library_whose_bound_differs_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An upgrade that read `scale` as a variance must stop releases."""
    true_gaussian = dp.m.make_gaussian

    def variance_for_scale(
        domain: dp.Domain, metric: dp.Metric, *, scale: float
    ) -> dp.Measurement:
        return true_gaussian(domain, metric, scale=math.sqrt(scale))

    monkeypatch.setattr(dp.m, "make_gaussian", variance_for_scale)
    step = GaussianStep(sensitivity_squared=ONE, scale=Fraction("7.7"))

    with pytest.raises(Internal):
        release_number(1.0, lower=0.0, upper=5.0, step=step)
    with pytest.raises(Internal):
        release_counts([1], step)
