"""A step costs its exact loss, rounded up; a budget holds what is proved, rounded down.

The figures come from closed forms, from opendp's own maps and from sums over all
outcomes, each computed apart from the code under test.
"""

import math
from decimal import Decimal
from fractions import Fraction

import opendp.prelude as dp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.measure import (
    ZCDP,
    Measure,
    epsilon_of,
    limit_units,
    measure_for,
    step_loss,
    step_rho,
    step_units,
)
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
    token_step,
)
from federated_router.privacy.units import UNITS_PER_RHO
from tests.unit.privacy.steps import STEPS, TOKEN

DELTA = Decimal("1e-6")
GAUSSIAN = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(10))
HALF = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(2))
CHOICE = SelectionStep(
    sensitivity=Fraction(1), temperature=Fraction(2), monotonic=False
)


@pytest.mark.parametrize(
    ("step", "units"),
    [
        (GAUSSIAN, 5_000_000_000),
        (TOKEN, 4_444_897_960),
        (CHOICE, 125_000_000_000),
        (LaplaceStep(sensitivity=Fraction(1), scale=Fraction(1)), 367_879_441_172),
        (HALF, 106_530_659_713),
        (
            DiscreteLaplaceStep(sensitivity=Fraction(1), scale=Fraction(1)),
            462_117_157_261,
        ),
        (
            NoisedSumStep(
                sensitivity_squared=9, share_sigma=10.0, shares_min=3, length=50
            ),
            15_000_000_001,
        ),
    ],
)
def test_rho_is_the_closed_form_rounded_up(step: Step, units: int) -> None:
    """1/200; (0.66/7)^2/2; (2/2)^2/8; 1/e; 0.5 + e^-0.5 - 1; tanh(1/2); 9/600."""
    assert step_units(step, ZCDP) == units


def test_a_fractional_order_is_taken_as_the_double_that_it_is() -> None:
    """Google's test_compute_rdp_gaussian: 3.14159 / (2 * 2.71828^2)."""
    step = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction("2.71828"))

    units = step_units(step, Measure(3.14159))

    assert units / UNITS_PER_RHO == pytest.approx(0.21258427222223966, abs=1e-12)
    assert units == math.ceil(Fraction(3.14159) * step_rho(step) * UNITS_PER_RHO)


@pytest.mark.parametrize("monotonic", [False, True])
def test_opendp_bounds_a_selection_as_we_charge_it(*, monotonic: bool) -> None:
    """An independent, partly machine-proved library has the same constants."""
    dp.enable_features("contrib")
    step = SelectionStep(
        sensitivity=Fraction("0.3"), temperature=Fraction("0.7"), monotonic=monotonic
    )
    noisy_max = dp.m.make_noisy_max(
        dp.vector_domain(dp.atom_domain(T=float, nan=False)),
        dp.linf_distance(T=float, monotonic=monotonic),
        dp.zero_concentrated_divergence(),
        scale=0.7,
    )

    assert noisy_max.map(0.3) == pytest.approx(float(step_rho(step)), rel=1e-14)


def test_opendp_bounds_noise_as_we_charge_it() -> None:
    """Gaussian: the same rho. Laplace: the same pure epsilon."""
    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    gaussian = dp.m.make_gaussian(*space, scale=10.0)
    laplace = dp.m.make_laplace(*space, scale=2.0)

    assert gaussian.map(1.0) == pytest.approx(float(step_rho(GAUSSIAN)), rel=1e-14)
    assert laplace.map(1.0) == float(HALF.sensitivity / HALF.scale)


@given(
    scale_tenths=st.integers(1, 2000),
    epsilon_tenths=st.integers(1, 200),
    delta=st.sampled_from(["1e-3", "1e-6", "1e-9"]),
)
def test_both_gates_decide_alike_on_gaussians_and_selections(
    scale_tenths: int, epsilon_tenths: int, delta: str
) -> None:
    """Order times rho against order times the budget: nothing but rounding differs.

    Rounding is one unit per release, so that the counts of releases can differ only
    where the budget is that close to a multiple of the cost.
    """
    epsilon = Decimal(epsilon_tenths) / 10
    budget = {"epsilon": epsilon, "delta": Decimal(delta)}
    measure = measure_for(**budget)
    scale = Fraction(scale_tenths, 10)
    for step in (
        GaussianStep(sensitivity_squared=Fraction(2), scale=scale),
        SelectionStep(sensitivity=Fraction(1), temperature=scale, monotonic=True),
    ):
        by_rho = limit_units(**budget, measure=ZCDP) // step_units(step, ZCDP)
        by_order = limit_units(**budget, measure=measure) // step_units(step, measure)

        assert by_rho == pytest.approx(by_order, rel=1e-6, abs=1)
        exact = limit_units(**budget, measure=ZCDP) / float(
            step_rho(step) * UNITS_PER_RHO
        )
        if abs(exact - round(exact)) > 1e-6 * (1 + exact):
            assert by_rho == by_order == math.floor(exact)


def test_the_old_budgets_are_unchanged() -> None:
    """Accounts that exist keep their limits to the unit."""
    limits = [
        limit_units(epsilon=Decimal(epsilon), delta=DELTA, measure=ZCDP)
        for epsilon in ("1", "3", "8", "10")
    ]

    assert limits == [
        24_355_970_359,
        185_069_840_653,
        1_052_358_004_556,
        1_539_278_763_866,
    ]


@given(epsilon_hundredths=st.integers(10, 3000), scale=st.integers(1, 50))
def test_a_full_account_means_its_epsilon_in_either_measure(
    epsilon_hundredths: int, scale: int
) -> None:
    """Spent to the limit, the reported epsilon is the promised one and not above."""
    epsilon = Decimal(epsilon_hundredths) / 100
    for measure in (ZCDP, measure_for(epsilon=epsilon, delta=DELTA)):
        limit = limit_units(epsilon=epsilon, delta=DELTA, measure=measure)

        reported = epsilon_of(limit, measure, delta=1e-6)

        assert reported == pytest.approx(float(epsilon), rel=1e-6)
        assert reported <= float(epsilon) + 1e-9
        assert epsilon_of(limit // (scale + 1), measure, delta=1e-6) < reported
        assert epsilon_of(0, measure, delta=1e-6) == 0.0


def test_an_order_too_low_for_its_budget_is_refused() -> None:
    """At order 1.1 and delta 1e-6 no loss at all would imply epsilon 1."""
    with pytest.raises(FieldInvalid):
        limit_units(epsilon=Decimal(1), delta=DELTA, measure=Measure(1.1))


@pytest.mark.parametrize("order", [1.0, 0.5, -2.0, math.nan, math.inf, 1e11, 1.000001])
def test_orders_that_bound_nothing_are_refused(order: float) -> None:
    """At order 1 and below there is no conversion to epsilon."""
    with pytest.raises(FieldInvalid):
        Measure(order)


@pytest.mark.parametrize(
    "step",
    [
        GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(10**6)),
        LaplaceStep(sensitivity=Fraction(1), scale=Fraction(10**7)),
        GaussianStep(sensitivity_squared=Fraction(10**9), scale=Fraction("0.001")),
        DiscreteLaplaceStep(sensitivity=Fraction(10**9), scale=Fraction("0.001")),
        TokenStep(
            slots=4096,
            clip=Decimal("0.01"),
            temperature=Decimal(1),
            multiplier=1,
            records_per_subject=1,
        ),
    ],
)
def test_steps_below_a_unit_or_beyond_the_ledger_have_no_price(step: Step) -> None:
    """A cost that rounds to nothing could be paid for ever; an overflow is a credit."""
    with pytest.raises(FieldInvalid):
        step_units(step, ZCDP)


@given(
    sensitivity_hundredths=st.integers(1, 1000),
    scale_hundredths=st.integers(10, 1000),
    order=st.one_of(st.none(), st.floats(1.01, 100)),
)
def test_more_noise_costs_less_and_more_sensitivity_costs_more(
    sensitivity_hundredths: int, scale_hundredths: int, order: float | None
) -> None:
    """Wrong-way accounting has shipped elsewhere; here no parameter goes that way."""
    measure = Measure(order)
    moved = Fraction(sensitivity_hundredths, 100)
    scale = Fraction(scale_hundredths, 100)

    for costs in (_gaussian, _laplace, _discrete, _selection):
        base = step_units(costs(moved, scale), measure)
        quieter = step_units(costs(moved, scale + Fraction(1, 100)), measure)
        farther = step_units(costs(moved + Fraction(1, 100), scale), measure)

        assert quieter <= base <= farther
        assert quieter < farther
    assert step_units(_monotonic(moved, scale), measure) <= step_units(
        _selection(moved, scale), measure
    )


@given(step=STEPS, order=st.one_of(st.none(), st.floats(1.00001, 1e10)))
def test_any_step_has_a_price_or_a_refusal(step: Step, order: float | None) -> None:
    """No parameters overflow, divide by zero or cost less than the exact loss."""
    measure = Measure(order)
    try:
        units = step_units(step, measure)
    except FieldInvalid:
        return

    assert 1 <= units < 2**63
    assert Fraction(units, UNITS_PER_RHO) >= Fraction(step_loss(step, measure))


@given(low=st.floats(1.01, 50), more=st.floats(0.01, 50))
def test_loss_grows_with_the_order(low: float, more: float) -> None:
    """Renyi divergence is monotone in its order; a formula that is not is wrong."""
    for step in (GAUSSIAN, HALF, CHOICE, _discrete(Fraction(3), Fraction(2))):
        assert step_units(step, Measure(low)) <= step_units(step, Measure(low + more))


def test_a_policy_and_its_step_cost_the_same() -> None:
    """The node charges by policy, the ledger by step; one figure."""
    policy = PrivatePolicy(
        name="paper",
        slots=7,
        clip=Decimal("0.66"),
        temperature=Decimal(1),
        top_k=100,
        tokens_max=500,
        row_tokens_max=640,
    )

    assert token_step(policy) == TOKEN
    assert step_loss(TOKEN, ZCDP) == Fraction(66, 700) ** 2 / 2


def test_a_price_is_computed_once() -> None:
    """The gate only looks it up."""
    step = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction("7.25"))
    step_units.cache_clear()

    for _ in range(3):
        step_units(step, ZCDP)

    assert (step_units.cache_info().misses, step_units.cache_info().hits) == (1, 2)


def _gaussian(moved: Fraction, scale: Fraction) -> Step:
    return GaussianStep(sensitivity_squared=moved**2, scale=scale)


def _laplace(moved: Fraction, scale: Fraction) -> Step:
    return LaplaceStep(sensitivity=moved, scale=scale)


def _discrete(moved: Fraction, scale: Fraction) -> Step:
    return DiscreteLaplaceStep(sensitivity=moved, scale=scale)


def _selection(moved: Fraction, scale: Fraction) -> Step:
    return SelectionStep(sensitivity=moved, temperature=scale, monotonic=False)


def _monotonic(moved: Fraction, scale: Fraction) -> Step:
    return SelectionStep(sensitivity=moved, temperature=scale, monotonic=True)
