"""Latency buckets: every member and router puts a latency into the same one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.buckets import LATENCY_BOUNDS_MS, bucket_index, coarsen
from federated_router.priors.contents import CellCounts


def test_default_bounds_span_a_quarter_to_1024_ms_by_roots_of_two() -> None:
    """Both ends and the ratio are what the contract's readers rely on."""
    ratios = {round(high / low, 4) for low, high in pairwise(LATENCY_BOUNDS_MS)}

    assert LATENCY_BOUNDS_MS[0] == 0.25
    assert LATENCY_BOUNDS_MS[-1] == 1024.0
    assert max(abs(ratio - 2**0.5) for ratio in ratios) < 1e-3


def test_bound_belongs_to_the_bucket_that_it_closes() -> None:
    """Both daemons must put 2.0 ms into the same bucket."""
    assert bucket_index((1.0, 2.0), 2.0) == 1
    assert bucket_index((1.0, 2.0), 2.0000001) == 2


@given(st.lists(st.floats(0, 2000), max_size=40))
def test_coarsening_counts_as_recording_coarsely_does(latencies: list[float]) -> None:
    """Merging buckets is exact when coarse bounds are among the fine ones."""
    coarse = LATENCY_BOUNDS_MS[::3]

    def recorded(bounds: tuple[float, ...]) -> CellCounts:
        counts = [0] * (len(bounds) + 1)
        for latency in latencies:
            counts[bucket_index(bounds, latency)] += 1
        return CellCounts(tuple(counts), 7)

    merged = coarsen(
        recorded(LATENCY_BOUNDS_MS), fine_ms=LATENCY_BOUNDS_MS, coarse_ms=coarse
    )

    assert merged == recorded(coarse)


def test_bucket_is_never_split() -> None:
    """A fine bucket across two coarse ones has no exact answer."""
    counts = CellCounts((1, 1, 1), 0)

    with pytest.raises(FieldInvalid):
        coarsen(counts, fine_ms=(1.0, 2.0), coarse_ms=(1.5,))
