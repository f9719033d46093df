"""The arithmetic of energy, carbon and cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.footprint.reckoning import (
    EnergyBasis,
    co2e_mg,
    footprint_of,
)
from federated_router.registry.membership import NO_TARIFF, Tariff

TARIFF = Tariff(
    prompt_cost=2.0, completion_cost=8.0, prompt_joules=100.0, completion_joules=900.0
)
counts = st.integers(0, 10**6)
intensities = st.floats(0, 5000)


def test_a_kilowatt_hour_is_three_million_six_hundred_thousand_joules() -> None:
    """The one conversion that everything rests on, in exact numbers."""
    assert co2e_mg(3.6e6, 400.0) == 400_000.0
    assert co2e_mg(1.8e6, 1.0) == 500.0
    assert co2e_mg(3.6e6, 0.0) == 0.0


def test_an_answer_takes_its_tokens_times_the_tariff_of_a_thousand() -> None:
    """Cached prompt tokens take neither energy nor cost."""
    taken = footprint_of(
        TARIFF,
        360.0,
        prompt_tokens=3000,
        prompt_tokens_cached=1000,
        completion_tokens=500,
    )

    assert taken.joules == 2 * 100.0 + 0.5 * 900.0
    assert taken.cost == 2 * 2.0 + 0.5 * 8.0
    assert taken.co2e_mg == pytest.approx(65.0)
    assert taken.basis is EnergyBasis.MODELLED


def test_what_is_not_known_is_not_reckoned_as_nothing() -> None:
    """No tariff of energy is no energy known; no intensity is no carbon known."""
    unknown = footprint_of(NO_TARIFF, 300.0, prompt_tokens=10, completion_tokens=10)
    nowhere = footprint_of(TARIFF, None, prompt_tokens=10, completion_tokens=10)

    assert (unknown.basis, unknown.co2e_mg) == (EnergyBasis.UNKNOWN, None)
    assert nowhere.co2e_mg is None
    assert nowhere.joules > 0


def test_the_nodes_measurement_is_told_as_one() -> None:
    """Whoever reads a footprint knows whether anybody measured."""
    measured = Tariff(completion_joules=1.0, measured=True)
    taken = footprint_of(measured, None, prompt_tokens=1, completion_tokens=1)
    assert taken.basis is EnergyBasis.MEASURED


@given(counts, counts, counts, intensities)
def test_prompt_that_the_node_still_held_takes_no_more_than_one_that_it_reads(
    prompt: int, cached: int, completion: int, intensity: float
) -> None:
    """What is expected counts the whole prompt: a ceiling that it met holds."""
    most = footprint_of(
        TARIFF, intensity, prompt_tokens=prompt, completion_tokens=completion
    )
    taken = footprint_of(
        TARIFF,
        intensity,
        prompt_tokens=prompt,
        prompt_tokens_cached=cached,
        completion_tokens=completion,
    )

    assert 0 <= taken.joules <= most.joules
    assert 0 <= taken.cost <= most.cost
    assert taken.co2e_mg is not None
    assert most.co2e_mg is not None
    assert taken.co2e_mg <= most.co2e_mg
