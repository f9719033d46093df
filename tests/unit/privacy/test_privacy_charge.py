"""Charges are exact integers, rounded against the spender."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import opendp.prelude as dp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import ChargeMismatch, FieldInvalid
from federated_router.privacy.charge import (
    UNITS_PER_RHO,
    charge_units,
    require_token_charge,
    token_charge_units,
    token_rho,
    worst_case_units,
)
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.units import units_down, units_up

PAPER = PrivatePolicy(
    name="paper",
    slots=7,
    clip=Decimal("0.66"),
    temperature=Decimal(1),
    top_k=100,
    tokens_max=500,
    row_tokens_max=640,
)


@pytest.mark.parametrize(
    ("slots", "clip", "temperature", "tokens", "rho"),
    [
        (7, "0.66", "1", 500, 2.2224),
        (7, "0.66", "1.2", 500, 1.5434),
        (15, "1", "1", 500, 1.1111),
        (31, "1", "1", 500, 0.26015),
        (63, "1", "1", 500, 0.06299),
        (8, "0.5", "1", 128, 0.25),
        (64, "1", "1", 512, 0.0625),
    ],
)
def test_charge_matches_the_reference_table(
    slots: int, clip: str, temperature: str, tokens: int, rho: float
) -> None:
    """Known answers, computed independently of this code."""
    policy = replace(
        PAPER,
        slots=slots,
        clip=Decimal(clip),
        temperature=Decimal(temperature),
        tokens_max=tokens,
    )

    assert worst_case_units(policy) / UNITS_PER_RHO == pytest.approx(rho, rel=5e-5)


def test_charge_is_the_exact_quotient_rounded_up() -> None:
    """(0.66/7)^2/2 = 0.00444489795918367...: the thirteenth digit rounds up."""
    assert token_rho(PAPER) == Fraction(66, 700) ** 2 / 2
    assert token_charge_units(PAPER) == 4_444_897_960


def test_opendp_maps_the_same_mechanism_to_the_same_loss() -> None:
    """An independent, partly machine-proved library agrees on the formula."""
    dp.enable_features("contrib")
    noisy_max = dp.m.make_noisy_max(
        dp.vector_domain(dp.atom_domain(T=float, nan=False)),
        dp.linf_distance(T=float),
        dp.zero_concentrated_divergence(),
        scale=1.0,
    )

    assert noisy_max.map(0.66 / 7) == pytest.approx(float(token_rho(PAPER)), rel=1e-14)


def test_retrieved_records_cost_four_times_as_much() -> None:
    """Retrieval lets one record evict another: twice the sensitivity, squared."""
    retrieved = replace(PAPER, multiplier=4)

    assert token_rho(retrieved) == 4 * token_rho(PAPER)


def test_several_records_of_a_person_cost_their_square() -> None:
    """Group privacy of zCDP grows with the square of the group."""
    triple = replace(PAPER, records_per_subject=3)

    assert token_rho(triple) == 9 * token_rho(PAPER)


def test_a_hundred_charges_of_five_thousandths_are_one_half() -> None:
    """In floating point the hundredth charge is refused."""
    spent_units = 100 * units_up(Decimal("0.005"))

    assert spent_units == units_down(Decimal("0.5"))


def test_hold_minus_release_is_the_commit() -> None:
    """Reserve, commit and release are multiples of one integer: nothing is lost."""
    sampled, unused = 123, 500 - 123

    total = charge_units(PAPER, tokens_sampled=sampled) + charge_units(
        PAPER, tokens_sampled=unused
    )

    assert total == worst_case_units(PAPER)


@pytest.mark.parametrize("tokens", [-1, 501])
def test_token_counts_outside_the_hold_are_refused(tokens: int) -> None:
    """A node cannot commit more than was reserved, nor be paid back."""
    with pytest.raises(FieldInvalid):
        charge_units(PAPER, tokens_sampled=tokens)


def test_no_sampled_token_costs_nothing() -> None:
    """Mechanisms that never ran are free under an adaptive filter."""
    assert charge_units(PAPER, tokens_sampled=0) == 0


@pytest.mark.parametrize(
    "rho", ["0", "-1", "NaN", "Infinity", "-Infinity", "5e-324", "9.9e-13", "1e7"]
)
def test_amounts_that_are_no_charge_are_refused(rho: str) -> None:
    """A positive amount below one unit could be spent for ever."""
    with pytest.raises(FieldInvalid):
        units_up(Decimal(rho))
    with pytest.raises(FieldInvalid):
        units_down(Decimal(rho))


def test_costs_round_up_and_limits_round_down() -> None:
    """Both roundings are against the spender."""
    rho = Decimal("0.0000000000015")

    assert units_up(rho) == 2
    assert units_down(rho) == 1


def test_a_policy_almost_free_of_charge_is_refused() -> None:
    """The sampler's rounding must vanish in the charge."""
    with pytest.raises(FieldInvalid):
        token_charge_units(replace(PAPER, slots=4096, clip=Decimal("0.01")))


def test_a_policy_beyond_the_ledger_is_refused() -> None:
    """An overflowing column would wrap around to a credit."""
    ruinous = replace(PAPER, slots=1, clip=Decimal(10_000), tokens_max=1 << 16)

    with pytest.raises(FieldInvalid):
        token_charge_units(ruinous)


def test_node_refuses_a_charge_that_its_parameters_do_not_give() -> None:
    """A router with another policy would undercharge the data set."""
    require_token_charge(PAPER, claimed_units=4_444_897_960)

    with pytest.raises(ChargeMismatch) as caught:
        require_token_charge(PAPER, claimed_units=4_444_897_959)

    assert caught.value.metadata["derived_units"] == "4444897960"


@given(
    slots=st.integers(1, 100),
    clip_thousandths=st.integers(200, 5000),
    temperature_tenths=st.integers(1, 30),
    tokens=st.integers(1, 400),
)
def test_charge_grows_with_everything_that_costs_privacy(
    slots: int, clip_thousandths: int, temperature_tenths: int, tokens: int
) -> None:
    """More tokens, fewer slots, larger clip, lower temperature; never the inverse."""
    policy = replace(
        PAPER,
        slots=slots + 1,
        clip=Decimal(clip_thousandths) / 1000,
        temperature=Decimal(temperature_tenths + 1) / 10,
        tokens_max=tokens + 1,
    )
    dearer = [
        replace(policy, slots=slots),
        replace(policy, clip=policy.clip + Decimal("0.001")),
        replace(policy, temperature=Decimal(temperature_tenths) / 10),
        replace(policy, tokens_max=tokens + 2),
        replace(policy, multiplier=4),
        replace(policy, records_per_subject=2),
    ]

    assert all(worst_case_units(policy) < worst_case_units(other) for other in dearer)
