"""The layout of contributions: one slot, one meaning."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import (
    LATENCY_BOUNDS_MS,
    Catalogue,
    Cell,
    CellCounts,
    bucket_index,
    coarsen,
)

LAYOUT = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 2.0, 4.0),
    slot_max=100,
)
COUNTS = st.builds(
    CellCounts,
    st.tuples(*[st.integers(0, 100)] * 4),
    st.integers(0, 100),
)


def test_default_bounds_span_a_quarter_to_1024_ms_by_roots_of_two() -> None:
    """Both ends and the ratio are what the contract's readers rely on."""
    ratios = {round(high / low, 4) for low, high in pairwise(LATENCY_BOUNDS_MS)}

    assert LATENCY_BOUNDS_MS[0] == 0.25
    assert LATENCY_BOUNDS_MS[-1] == 1024.0
    assert max(abs(ratio - 2**0.5) for ratio in ratios) < 1e-3


@given(st.dictionaries(st.sampled_from(LAYOUT.cells), COUNTS))
def test_encoded_counts_decode_to_themselves(
    statistics: dict[Cell, CellCounts],
) -> None:
    """Within the bound nothing is lost, and absent cells are zero."""
    encoding = LAYOUT.encode(statistics)

    decoded = LAYOUT.decode(encoding.values)

    empty = CellCounts((0, 0, 0, 0), 0)
    assert decoded == {cell: statistics.get(cell, empty) for cell in LAYOUT.cells}
    assert encoding.left_out == encoding.clipped == 0


@given(
    st.dictionaries(st.sampled_from(LAYOUT.cells), COUNTS, min_size=1),
    st.data(),
    st.integers(1, 60),
)
def test_one_request_more_moves_at_most_one_slot_by_one(
    statistics: dict[Cell, CellCounts], data: st.DataObject, slot_max: int
) -> None:
    """This is the sensitivity that the noise is measured against, clipping included."""
    layout = replace(LAYOUT, slot_max=slot_max)
    cell = data.draw(st.sampled_from(sorted(statistics)))
    row = [*statistics[cell].latency_counts, statistics[cell].failures]
    row[data.draw(st.integers(0, 4))] += 1
    neighbour = {**statistics, cell: CellCounts(tuple(row[:-1]), row[-1])}

    before = layout.encode(statistics).values
    after = layout.encode(neighbour).values

    moved = [b - a for a, b in zip(before, after, strict=True) if a != b]
    assert moved in ([], [1])


def test_slot_of_a_request_is_the_one_that_its_count_fills() -> None:
    """Two ways to name a slot must agree."""
    cell = Cell("models/b", "eu")
    statistics = {cell: CellCounts((0, 0, 1, 0), 1)}

    values = LAYOUT.encode(statistics).values

    slots = [index for index, value in enumerate(values) if value]
    assert slots == [LAYOUT.latency_slot(cell, 3.0), LAYOUT.failure_slot(cell)]


def test_every_slot_has_exactly_one_meaning() -> None:
    """Slots of all cells and buckets cover the vector without overlap."""
    latencies = (0.5, 1.5, 3.0, 9.0)
    slots = [
        *(LAYOUT.latency_slot(cell, ms) for cell in LAYOUT.cells for ms in latencies),
        *(LAYOUT.failure_slot(cell) for cell in LAYOUT.cells),
    ]

    assert sorted(slots) == list(range(LAYOUT.statistic_slots))
    assert LAYOUT.vector_length == LAYOUT.statistic_slots + 1


def test_requests_outside_the_catalogue_are_counted_as_left_out() -> None:
    """Silence would make a member believe that they were published."""
    stranger = Cell("models/unknown", "eu")
    statistics = {stranger: CellCounts((1, 2, 0, 0), 3)}

    encoding = LAYOUT.encode(statistics)

    assert encoding.left_out == 6
    assert not any(encoding.values)


def test_counts_beyond_the_bound_are_clipped_and_counted() -> None:
    """The bound is what the headroom of the sum was computed with."""
    statistics = {LAYOUT.cells[0]: CellCounts((150, 0, 0, 0), 0)}

    encoding = LAYOUT.encode(statistics)

    assert max(encoding.values) == 100
    assert encoding.clipped == 50


@pytest.mark.parametrize(
    "counts", [CellCounts((1, 2), 0), CellCounts((-1, 0, 0, 0), 0)]
)
def test_counts_that_are_no_counts_are_refused(counts: CellCounts) -> None:
    """Other buckets would shift every later slot."""
    with pytest.raises(FieldInvalid):
        LAYOUT.encode({LAYOUT.cells[0]: counts})


def test_sum_of_another_length_is_refused() -> None:
    """A count of members left in front would shift every meaning by one."""
    with pytest.raises(FieldInvalid):
        LAYOUT.decode([0] * LAYOUT.vector_length)


@pytest.mark.parametrize(
    "change",
    [
        {"models": ()},
        {"models": ("models/a", "models/a")},
        {"regions": ("",)},
        {"latency_bounds_ms": ()},
        {"latency_bounds_ms": (2.0, 1.0)},
        {"latency_bounds_ms": (0.0, 1.0)},
        {"latency_bounds_ms": (1.0, float("inf"))},
        {"latency_bounds_ms": (float("nan"), 1.0)},
        {"slot_max": 0},
        {"version": 0},
        {"models": tuple(f"models/{number}" for number in range(5000))},
    ],
)
def test_layout_without_one_meaning_is_refused(change: dict[str, object]) -> None:
    """Two members that read a layout differently would add apples to pears."""
    with pytest.raises(FieldInvalid):
        replace(LAYOUT, **change)  # type: ignore[arg-type]


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
