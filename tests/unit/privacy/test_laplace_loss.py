"""Laplace noise costs what its outcomes say, on the reals and on whole counts.

The closed forms are compared with plain sums over all outcomes, and over all scales.
"""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from federated_router.privacy.laplace import (
    concentrated_bound,
    renyi_bound,
    renyi_estimate,
)
from federated_router.privacy.measure import (
    ZCDP,
    Measure,
    limit_units,
    measure_for,
    step_loss,
    step_units,
)
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    LaplaceStep,
    Step,
)

DELTA = Decimal("1e-6")
HALF = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(2))


@pytest.mark.parametrize("order", [1.1, 2.0, 3.846, 64.0])
@pytest.mark.parametrize(("steps", "gap"), [(1, "1"), (4, "0.25"), (30, "0.1")])
def test_discrete_laplace_loses_the_sum_over_all_outcomes(
    steps: int, gap: str, order: float
) -> None:
    """The closed form against a plain sum over the integers, far into both tails."""
    spacing = float(gap)
    reach = math.ceil(80 / spacing)
    masses = [
        (-spacing * abs(point), -spacing * abs(point - steps))
        for point in range(-reach, reach + steps)
    ]
    norm = (1 - math.exp(-spacing)) / (1 + math.exp(-spacing))
    moment = norm * sum(math.exp(order * p + (1 - order) * q) for p, q in masses)
    entropy = norm * sum(math.exp(p) * (p - q) for p, q in masses)

    shift = steps * Fraction(gap)
    loss = renyi_bound(shift=shift, spacing=Fraction(gap), order=Fraction(order))
    rho = concentrated_bound(shift=shift, spacing=Fraction(gap))

    assert float(loss) == pytest.approx(math.log(moment) / (order - 1), rel=1e-12)
    assert float(rho) == pytest.approx(entropy, rel=1e-12)


@given(
    shift_log=st.floats(-12, 5),
    steps=st.integers(0, 1000),
    order_log=st.floats(-9, 18),
)
def test_renyi_loss_of_laplace_noise_never_exceeds_order_times_rho(
    shift_log: float, steps: int, order_log: float
) -> None:
    """That is what rho means; it is claimed for every lattice, and for the reals (0).

    Also, no outcome loses more than the pure epsilon, and floats agree.
    """
    shift = Fraction(math.exp(shift_log)).limit_denominator(10**12)
    spacing = shift / steps if steps else Fraction(0)
    order = 1 + Fraction(math.exp(order_log)).limit_denominator(10**6)
    assume(order > 1 and (spacing == 0 or spacing > Fraction(1, 10**9)))

    loss = renyi_bound(shift=shift, spacing=spacing, order=order)
    rho = concentrated_bound(shift=shift, spacing=spacing)
    estimate = renyi_estimate(
        shift=float(shift), spacing=float(spacing), order=float(order)
    )

    assert Fraction(loss) <= order * Fraction(rho)
    assert Fraction(loss) <= shift * (1 + Fraction(1, 10**30)) + Fraction(1, 10**39)
    assert estimate == pytest.approx(float(loss), rel=1e-6, abs=1e-12)


@given(shift_log=st.floats(-10, 4), steps=st.integers(1, 1000))
def test_discrete_laplace_never_costs_less_than_continuous(
    shift_log: float, steps: int
) -> None:
    """Charging counts as if they were reals would leak below small scales."""
    scale = Fraction(math.exp(-shift_log)).limit_denominator(10**6)
    assume(Fraction(1, 10**6) < scale)
    counts = DiscreteLaplaceStep(sensitivity=Fraction(steps), scale=_plain(scale))
    reals = LaplaceStep(sensitivity=Fraction(steps), scale=_plain(scale))
    assume(Fraction(step_loss(reals, ZCDP)) < 10**6)

    for measure in (ZCDP, Measure(1.5), Measure(8.925)):
        assert step_units(counts, measure) >= step_units(reals, measure)


def test_a_laplace_change_costs_most_in_a_single_coordinate() -> None:
    """The L1 norm is charged as if one coordinate moved by all of it."""
    whole = DiscreteLaplaceStep(sensitivity=Fraction(6), scale=Fraction(4))
    part = DiscreteLaplaceStep(sensitivity=Fraction(2), scale=Fraction(4))

    for measure in (ZCDP, Measure(2.0), Measure(50.0)):
        assert step_units(whole, measure) > 3 * step_units(part, measure)


@pytest.mark.parametrize(
    ("epsilon", "by_order", "by_rho"), [("3", 3, 1), ("10", 18, 14)]
)
def test_a_frozen_order_admits_more_laplace_releases(
    epsilon: str, by_order: int, by_rho: int
) -> None:
    """Known answers for scale 2, sensitivity 1; the reason to offer the Renyi gate."""
    measure = measure_for(epsilon=Decimal(epsilon), delta=DELTA)

    assert _admitted(HALF, epsilon, measure) == by_order
    assert _admitted(HALF, epsilon, ZCDP) == by_rho


@pytest.mark.parametrize("order", [None, 1.00001, 1e10])
@pytest.mark.parametrize("sensitivity", ["0.000000001", "1", "1000000000"])
@pytest.mark.parametrize("scale", ["0.000000001", "1", "1000000000"])
def test_the_corners_of_laplace_have_a_price_or_a_refusal(
    scale: str, sensitivity: str, order: float | None
) -> None:
    """Exponents of 10^28 either way; the price follows the ratio or there is none."""
    shift = Fraction(sensitivity) / Fraction(scale)
    for build in (LaplaceStep, DiscreteLaplaceStep):
        step = build(sensitivity=Fraction(sensitivity), scale=Fraction(scale))
        loss = Fraction(step_loss(step, Measure(order)))

        assert 0 < loss <= shift * (1 + Fraction(1, 10**30)) + Fraction(1, 10**39)


def _admitted(step: Step, epsilon: str, measure: Measure) -> int:
    limit = limit_units(epsilon=Decimal(epsilon), delta=DELTA, measure=measure)
    return limit // step_units(step, measure)


def _plain(value: Fraction) -> Fraction:
    """Return a decimal of few places near `value`, not above it."""
    return Fraction(math.floor(value * 10**9), 10**9)
