"""What may be believed after reading noised counts."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.buckets import LATENCY_BOUNDS_MS
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import CellCounts
from federated_router.priors.performance import (
    NEUTRAL_SUCCESS_RATIO,
    Performance,
    quantile,
    read_performance,
)
from federated_router.priors.publication import Priors

BUCKETS = len(LATENCY_BOUNDS_MS) + 1


def counts_of(latencies: dict[int, int], failures: int = 0) -> CellCounts:
    """Return counts that are zero but in the given buckets."""
    return CellCounts(
        tuple(latencies.get(bucket, 0) for bucket in range(BUCKETS)), failures
    )


def read(counts: CellCounts, sigma: float = 0.0) -> Performance:
    """Read with the default bounds."""
    return read_performance(
        counts, bounds_ms=LATENCY_BOUNDS_MS, noise_standard_deviation=sigma
    )


def noised(counts: CellCounts, sigma: float, seed: int) -> CellCounts:
    """Return counts with rounded Gaussian noise of a fixed seed."""
    source = random.Random(seed)  # noqa: S311 - a harness, not a release.

    def noise() -> int:
        return round(source.gauss(0, sigma))

    return CellCounts(
        tuple(count + noise() for count in counts.latency_counts),
        counts.failures + noise(),
    )


def test_exact_counts_give_the_quantiles_of_their_buckets() -> None:
    """Without noise a quantile lies in the bucket that holds it."""
    counts = counts_of({8: 900, 12: 80, 16: 20})

    found = read(counts)

    bounds = LATENCY_BOUNDS_MS
    assert found.latency_ms_p50 is not None
    assert found.latency_ms_p95 is not None
    assert found.latency_ms_p99 is not None
    assert bounds[7] < found.latency_ms_p50 <= bounds[8]
    assert bounds[11] < found.latency_ms_p95 <= bounds[12]
    assert bounds[15] < found.latency_ms_p99 <= bounds[16]


def test_few_requests_say_nothing() -> None:
    """Ninety-nine requests of one model are an anecdote, and nearly one member's."""
    found = read(counts_of({8: 99}))

    assert found.latency_ms_p50 is None
    assert found.success_ratio == NEUTRAL_SUCCESS_RATIO
    assert found.weight == 0.0


def test_noise_alone_is_never_believed() -> None:
    """An empty cell reads as empty, for 2,000 draws of the noise.

    The total of 27 slots must exceed three of its standard deviations, so one draw
    errs with probability 1.35e-3; more than 12 of 2,000 errs below 1e-4.
    """
    empty = counts_of({})

    believed = sum(
        read(noised(empty, 50.0, seed), sigma=50.0).latency_ms_p50 is not None
        for seed in range(2000)
    )

    assert believed <= 12


def test_reader_that_ignores_the_noise_would_be_caught() -> None:
    """The test above has power: without the noise figure about half is believed."""
    empty = counts_of({})

    believed = sum(
        read(noised(empty, 50.0, seed), sigma=0.0).latency_ms_p50 is not None
        for seed in range(200)
    )

    assert believed > 50


def test_median_survives_noise() -> None:
    """Noise of 10 on 2,000 requests moves the median by less than one bucket."""
    truth = counts_of({10: 600, 11: 900, 12: 500})
    exact = read(truth).latency_ms_p50
    assert exact is not None

    for seed in range(200):
        found = read(noised(truth, 10.0, seed), sigma=10.0).latency_ms_p50
        assert found is not None
        assert exact / 2**0.5 < found < exact * 2**0.5


def test_tail_hidden_in_the_noise_is_not_reported() -> None:
    """One per cent of 1,000 is less than three standard deviations of 10."""
    found = read(counts_of({10: 950, 14: 50}), sigma=10.0)

    assert found.latency_ms_p95 is not None
    assert found.latency_ms_p99 is None


def test_flat_counts_below_the_noise_still_give_a_median() -> None:
    """Where no bucket stands out alone, their sum still does."""
    flat = CellCounts((40,) * BUCKETS, 0)

    found = read(flat, sigma=20.0)

    assert found.latency_ms_p50 is not None
    assert 8.0 < found.latency_ms_p50 < 32.0
    assert found.latency_ms_p95 is None


def test_success_ratio_is_shrunk_towards_the_neutral_one() -> None:
    """The less is known, the less a ratio may differ from what is usual."""
    few = read(counts_of({10: 50}, failures=50))
    many = read(counts_of({10: 5000}, failures=5000))

    assert 0.5 < many.success_ratio < few.success_ratio < NEUTRAL_SUCCESS_RATIO


def test_more_noise_shrinks_more() -> None:
    """Pseudo-counts grow with the noise in the total."""
    counts = counts_of({10: 500}, failures=500)

    quiet, noisy = read(counts, sigma=0.0), read(counts, sigma=30.0)

    assert quiet.success_ratio < noisy.success_ratio < NEUTRAL_SUCCESS_RATIO


def test_weight_grows_to_one_at_a_thousand_requests() -> None:
    """Routers mix priors in by this confidence."""
    assert read(counts_of({10: 500})).weight == 0.5
    assert read(counts_of({10: 5000})).weight == 1.0


@given(
    st.lists(st.integers(-500, 3000), min_size=BUCKETS, max_size=BUCKETS),
    st.integers(-500, 3000),
    st.floats(0, 200),
)
def test_any_noised_counts_give_figures_within_their_ranges(
    latency_counts: list[int], failures: int, sigma: float
) -> None:
    """Negative counts and totals must not become ratios, latencies or crashes."""
    found = read(CellCounts(tuple(latency_counts), failures), sigma=sigma)

    latencies = (found.latency_ms_p50, found.latency_ms_p95, found.latency_ms_p99)
    known = [latency for latency in latencies if latency is not None]
    assert 0.0 <= found.success_ratio <= 1.0
    assert 0.0 <= found.weight <= 1.0
    assert found.sample_count >= 0
    assert known == sorted(known)
    assert all(LATENCY_BOUNDS_MS[0] / 2 <= ms <= 1024.0 for ms in known)


def test_requests_above_the_last_bound_read_as_that_bound() -> None:
    """The open bucket has no upper edge to interpolate to."""
    assert quantile([0.0, 0.0, 10.0], (1.0, 2.0), 0.5) == 2.0


def test_no_requests_have_no_quantile() -> None:
    """Zero would be the fastest model of all."""
    assert quantile([0.0, 0.0, 0.0], (1.0, 2.0), 0.5) is None


def test_cell_outside_the_catalogue_has_no_prior() -> None:
    """A router must tell 'no data' from 'not asked'."""
    catalogue = Catalogue(
        version=1, models=("models/a",), regions=("eu",), slot_max=100
    )
    priors = Priors(
        revision=1,
        round_name="rounds/r",
        create_time_s=0.0,
        catalogue=catalogue,
        members=4,
        noise_standard_deviation=1.0,
        contents=catalogue.decode([0] * catalogue.statistic_slots),
    )
    known = catalogue.cells[0]

    assert priors.read(replace(known, model="models/z")) is None
    assert priors.read(known) is not None
    assert priors.read(known) == pytest.approx(priors.read(known))
