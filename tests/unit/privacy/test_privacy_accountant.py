"""Budgets and reports agree with published figures and with independent libraries."""

from decimal import Decimal

import dp_accounting
import pytest
from dp_accounting import rdp
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.accountant import (
    budget_units,
    epsilon_of_units,
    frozen_order,
)
from federated_router.privacy.charge import worst_case_units
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.report import compositions
from federated_router.privacy.step import token_step
from federated_router.privacy.units import units_up


def _paper(slots: int, clip: str, temperature: str, multiplier: int) -> PrivatePolicy:
    return PrivatePolicy(
        name="paper",
        slots=slots,
        clip=Decimal(clip),
        temperature=Decimal(temperature),
        top_k=100,
        tokens_max=500,
        row_tokens_max=640,
        multiplier=multiplier,
    )


@pytest.mark.parametrize(
    ("parameters", "epsilon", "replace_one", "basic"),
    [
        ((7, "0.66", "1"), 12.4542, 29.81, 94.3),
        ((7, "0.66", "1.2"), 10.0157, 23.51, 78.6),
        ((15, "1", "1"), 8.2572, 19.08, 66.7),
        ((31, "1", "1"), 3.6213, 7.95, 32.3),
        ((63, "1", "1"), 1.6670, 3.56, 15.9),
    ],
)
def test_token_streams_report_the_reference_epsilon(
    parameters: tuple[int, str, str], epsilon: float, replace_one: float, basic: float
) -> None:
    """Known answers for 500 tokens at delta 1e-6, by id, retrieved and summed."""
    by_id = _paper(*parameters, 1)
    retrieved = _paper(*parameters, 4)

    reported = epsilon_of_units(worst_case_units(by_id), delta=1e-6)
    evicting = epsilon_of_units(worst_case_units(retrieved), delta=1e-6)

    assert reported == pytest.approx(epsilon, abs=6e-5)
    assert evicting == pytest.approx(replace_one, abs=6e-3)
    summed = compositions([(token_step(by_id), 500)], delta=1e-6)[3]
    assert summed.method == "basic"
    assert summed.epsilon == pytest.approx(basic, abs=0.06)


@pytest.mark.parametrize(
    ("epsilon", "delta", "rho"),
    [
        ("1", "1e-6", "0.0243559704"),
        ("3", "1e-6", "0.1850698407"),
        ("5", "1e-6", "0.4630649901"),
        ("8", "1e-6", "1.0523580046"),
        ("10", "1e-6", "1.5392787639"),
        ("1", "1e-5", "0.0305565952"),
        ("10", "1e-5", "1.7826956163"),
        ("3", "1e-3", "0.3810161598"),
    ],
)
def test_budgets_match_the_reference_rho(epsilon: str, delta: str, rho: str) -> None:
    """Known answers to ten digits."""
    units = budget_units(epsilon=Decimal(epsilon), delta=Decimal(delta))

    assert abs(units - int(Decimal(rho) * 10**12)) <= 60


@pytest.mark.parametrize(
    ("epsilon", "alpha", "limit", "rho"),
    [
        ("1", 21.989, 0.53557, 0.0243559704),
        ("3", 8.925, 1.65175, 0.1850698407),
        ("5", 6.093, 2.82160, 0.4630649901),
        ("10", 3.846, 5.92022, 1.5392787639),
    ],
)
def test_frozen_orders_match_the_reference(
    epsilon: str, alpha: float, limit: float, rho: float
) -> None:
    """The order of a Renyi gate, found here and by a separate optimiser.

    The maximum is flat, so the order is known less well than the budget at it.
    """
    order = frozen_order(epsilon=Decimal(epsilon), delta=Decimal("1e-6"))

    assert order.alpha == pytest.approx(alpha, rel=5e-4)
    assert order.limit == pytest.approx(limit, rel=5e-4)
    assert order.limit / order.alpha == pytest.approx(rho, rel=2e-9)


def test_gaussian_composition_lies_between_truth_and_basic_composition() -> None:
    """100 releases at sigma 10: exact 4.886554, zCDP 5.221534, basic 50.59."""
    reported = epsilon_of_units(100 * units_up(Decimal("0.005")), delta=1e-6)
    exact = dp_accounting.get_epsilon_gaussian(1.0, 1e-6)

    assert reported == pytest.approx(5.221534, abs=1e-6)
    assert exact < reported < 50.59


@given(rho_log=st.floats(-4, 1.5), delta_log=st.integers(-9, -3))
def test_reports_never_undercut_the_independent_accountant(
    rho_log: float, delta_log: int
) -> None:
    """dp-accounting tries fewer orders, so its epsilon is at least ours, barely."""
    units, delta = int(10**rho_log * 10**12), 10.0**delta_log
    oracle = rdp.RdpAccountant()
    oracle.compose(dp_accounting.dp_event.ZCDpEvent(units / 10**12))

    reported = epsilon_of_units(units, delta=delta)
    exact = dp_accounting.get_epsilon_gaussian((2 * units / 10**12) ** -0.5, delta)

    assert exact - 1e-6 <= reported <= oracle.get_epsilon(delta) * (1 + 1e-9) + 1e-9


@given(
    epsilon_hundredths=st.integers(5, 5000),
    delta=st.sampled_from(["1e-3", "1e-6", "1e-9", "1e-15"]),
)
def test_a_spent_budget_means_at_most_its_epsilon(
    epsilon_hundredths: int, delta: str
) -> None:
    """The budget is rounded down and loses nothing else."""
    epsilon = Decimal(epsilon_hundredths) / 100
    units = budget_units(epsilon=epsilon, delta=Decimal(delta))

    reported = epsilon_of_units(units, delta=float(delta))

    assert reported <= float(epsilon) + 1e-12
    assert reported == pytest.approx(float(epsilon), rel=1e-6)


@given(units=st.integers(0, 10**13), more=st.integers(1, 10**12))
def test_epsilon_grows_with_what_is_spent(units: int, more: int) -> None:
    """Spending more never looks cheaper; equality only where floats cannot tell."""
    before = epsilon_of_units(units, delta=1e-6)

    assert epsilon_of_units(units + more, delta=1e-6) >= before * (1 - 1e-12)


def test_nothing_spent_is_epsilon_zero() -> None:
    """An untouched account reports no loss at all."""
    assert epsilon_of_units(0, delta=1e-6) == 0.0


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [
        ("0", "1e-6"),
        ("-1", "1e-6"),
        ("NaN", "1e-6"),
        ("Infinity", "1e-6"),
        ("1", "0"),
        ("1", "-1e-6"),
        ("1", "NaN"),
        ("1", "0.9"),
        ("1", "1e-40"),
    ],
)
def test_budgets_that_mean_nothing_are_refused(epsilon: str, delta: str) -> None:
    """An account is never created with a limit that cannot be reasoned about."""
    with pytest.raises(FieldInvalid):
        budget_units(epsilon=Decimal(epsilon), delta=Decimal(delta))


def test_float_budgets_are_refused() -> None:
    """A limit is a promise; it is stated exactly."""
    with pytest.raises(FieldInvalid):
        budget_units(epsilon=3.0, delta=Decimal("1e-6"))  # type: ignore[arg-type]
