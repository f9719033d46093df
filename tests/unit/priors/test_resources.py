"""Tokens, cost, energy, weighted latency and carbon, read from noised sums."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.carbon import read_carbon
from federated_router.priors.contents import (
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    WeightSums,
)
from federated_router.priors.layouts import weights_of
from federated_router.priors.resources import latency_at, read_resources
from federated_router.priors.sums import ratio
from tests.unit.priors.worlds import LAYOUT, PLAIN, noised, priors_of

CELL = LAYOUT.cells[0]
BUSY = Contents(
    performance={
        CELL: CellCounts((0, 600, 400, 0, 0), 50, tokens=8000, cost=400, energy=3000)
    },
    carbon={"eu": CarbonSums(2000, 40_000)},
)


def test_means_are_sums_by_sums_in_their_units() -> None:
    """8,000 steps of 10 tokens over 1,000 answers are 80 tokens each, and so on."""
    found = read_resources(priors_of(BUSY), CELL)

    assert found.tokens_per_request is not None
    assert found.cost_per_token is not None
    assert found.energy_j_per_request is not None
    assert found.tokens_per_request.value == pytest.approx(80.0)
    assert found.cost_per_token.value == pytest.approx(400 * 0.5 / 80_000)
    assert found.energy_j_per_request.value == pytest.approx(6.0)


def test_weighted_latency_is_the_mean_of_the_logarithms() -> None:
    """Buckets 1 and 2 have their middles at sqrt 2 and sqrt 8; 0.4 of the way."""
    found = read_resources(priors_of(BUSY), CELL).latency_ms

    assert found is not None
    assert found.value == pytest.approx(2 ** (0.5 + 0.4))


def test_no_member_weighs_more_than_a_thousand_requests() -> None:
    """One slow member with 50,000 requests and one fast one of 1,000 count alike."""
    slow = weights_of(CellCounts((0, 0, 0, 50_000, 0), 0))
    fast = weights_of(CellCounts((0, 1_000, 0, 0, 0), 0))
    both = WeightSums(slow.weight + fast.weight, slow.latency + fast.latency)
    alone = priors_of(Contents())
    summed = replace(alone, contents=replace(alone.contents, weights={CELL: both}))

    found = read_resources(summed, CELL).latency_ms

    assert found is not None
    assert found.value == pytest.approx(2**1.5)


@pytest.mark.parametrize("noise", [40.0, 400.0])
def test_what_noise_hides_is_not_told(noise: float) -> None:
    """An empty cell tells nothing, for 300 draws of its noise.

    Each of four divisors exceeds 3 of its standard deviations with probability
    1.35e-3, so more than 12 of 1,200 hardly ever (below 1e-6).
    """
    empty = priors_of(Contents(), noise=noise)

    told = 0
    for seed in range(300):
        found = read_resources(noised(empty, seed=seed), CELL)
        told += sum(
            estimate is not None
            for estimate in (
                found.tokens_per_request,
                found.cost_per_token,
                found.energy_j_per_request,
                found.latency_ms,
            )
        )

    assert told <= 12


def test_standard_errors_are_those_of_the_noise() -> None:
    """Over 400 draws the error of each mean is its standard error within a quarter.

    The spread of 400 draws has a standard error of 3.5 %, so 25 % is seven of them.
    """
    quiet = priors_of(BUSY, noise=4.0)
    exact = read_resources(priors_of(BUSY), CELL)
    for name in ("tokens_per_request", "energy_j_per_request", "latency_ms"):
        errors, stated = [], 0.0
        for seed in range(400):
            found = getattr(read_resources(noised(quiet, seed=seed), CELL), name)
            errors.append(found.value - getattr(exact, name).value)
            stated += found.standard_error / 400
        spread = math.sqrt(sum(error**2 for error in errors) / len(errors))
        assert 0.75 * stated < spread < 1.25 * stated, name


def test_catalogue_without_a_block_tells_nothing_of_it() -> None:
    """Zeros of a block that nobody counts are not free answers."""
    found = read_resources(priors_of(BUSY, catalogue=PLAIN), CELL)

    assert found.tokens_per_request is None
    assert found.cost_per_token is None
    assert found.energy_j_per_request is None
    assert found.latency_ms is None
    assert read_carbon(priors_of(BUSY, catalogue=PLAIN), "eu") is None


def test_unknown_cell_tells_nothing() -> None:
    """A model outside the catalogue."""
    found = read_resources(priors_of(BUSY), Cell("models/z", "eu"))

    assert found.tokens_per_request is None
    assert found.latency_ms is None


def test_carbon_is_the_mean_intensity_of_the_requests() -> None:
    """20 steps of 16 g per kWh; a region that nobody served in says nothing."""
    found = read_carbon(priors_of(BUSY, noise=4.0), "eu")

    assert found is not None
    assert found.value == pytest.approx(320.0)
    assert read_carbon(priors_of(BUSY, noise=4.0), "us") is None
    assert read_carbon(priors_of(BUSY), "nowhere") is None


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e4), st.floats(0, 1e4))
def test_ratios_are_never_negative_and_never_of_noise(
    over: float, under: float, over_noise: float, under_noise: float
) -> None:
    """Noise makes sums negative; a mean of amounts is not."""
    found = ratio(over, under, over_noise=over_noise, under_noise=under_noise)

    if found is not None:
        assert found.value >= 0
        assert under >= 3 * under_noise


@given(st.floats(-10, 20), st.floats(-10, 20))
def test_latency_rises_with_the_position_and_stays_within_the_buckets(
    one: float, other: float
) -> None:
    """Positions beyond the ends come from noise."""
    low, high = sorted((one, other))
    bounds = LAYOUT.latency_bounds_ms

    slow, fast = latency_at(bounds, high), latency_at(bounds, low)

    assert bounds[0] / 2 < fast <= slow <= bounds[-1]


def test_every_quantity_of_every_block_has_its_noise() -> None:
    """What readers divide by is what members drew."""
    priors = priors_of(BUSY, noise=2.0)

    stated = {name: priors.noise_of(name) for name in LAYOUT.quantities}

    assert stated["latency"] == stated["failures"] == 2.0
    assert stated["tokens"] == 128.0
    assert stated["carbon_requests"] == 4.0
    assert len(stated) == 15
