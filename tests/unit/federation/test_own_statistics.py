"""What an operator is shown of a member's own counts."""

from federated_router.api.v1 import ops_pb2
from federated_router.federation.own_statistics import (
    LatencyMeasure,
    LatencyShape,
    own_statistics,
)
from federated_router.federation.records import (
    FailureCause,
    PatternOutcome,
    RequestRecord,
    Success,
)
from federated_router.federation.statistics import Statistics
from federated_router.priors.contents import Cell

CELL = Cell("models/a", "eu", "premium")


def test_every_block_and_place_of_requests_is_shown() -> None:
    """Whoever asks why a round is small finds it here: withheld, clipped or lost."""
    statistics = Statistics(cells_max=1)
    success = Success(latency_ms_per_token=0.1, tokens=3, cost=2, energy=1)
    statistics.record(RequestRecord(cell=CELL, performance=success))
    outcome = PatternOutcome("code", succeeded=False)
    statistics.record(RequestRecord(cell=CELL, pattern=outcome))
    statistics.fail(Cell("models/b", "eu"), FailureCause.ENGINE)

    shown = own_statistics(statistics)()

    (cell,) = shown.performance
    assert (cell.model, cell.region, cell.tier) == ("models/a", "eu", "premium")
    assert (cell.tokens, cell.cost, cell.energy) == (3, 2, 1)
    (pattern,) = shown.patterns
    assert (pattern.pattern, pattern.successes, pattern.failures) == ("code", 0, 1)
    assert (shown.requests.recorded, shown.requests.pending) == (2, 2)
    assert shown.requests.lost == 1


def test_clipped_requests_are_shown() -> None:
    """A limit that bites unseen would look like a quiet service."""
    statistics = Statistics(requests_per_user_max=1)
    statistics.fail(CELL, FailureCause.ENGINE)

    assert own_statistics(statistics)().requests.clipped == 1


def test_energy_is_labelled_by_where_it_comes_from() -> None:
    """What nobody measured must not look as if somebody had."""
    shown = own_statistics(Statistics())()
    measured = own_statistics(Statistics(), energy_source=lambda: "measured_rapl")()

    assert shown.units.energy_source == "modelled"
    assert measured.units.energy_source == "measured_rapl"
    assert (shown.units.token, shown.units.energy_j) == (16.0, 8.0)


def test_cells_with_several_modes_are_marked() -> None:
    """There a percentile may stand for no request."""
    shape = LatencyShape(
        cell=CELL,
        measure=LatencyMeasure.TIME_TO_FIRST_TOKEN,
        samples=200,
        dip=0.1,
        p_value=0.001,
        multimodal=True,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=3.0,
    )

    shown = own_statistics(Statistics(), shapes=lambda: [shape])()

    (marked,) = shown.latency_shapes
    assert marked.measure == ops_pb2.LATENCY_MEASURE_TIME_TO_FIRST_TOKEN
    assert (marked.p50_ms, marked.p95_ms, marked.p99_ms) == (1.0, 2.0, 3.0)
    assert marked.multimodal
    assert (marked.model, marked.tier, marked.samples) == ("models/a", "premium", 200)
    assert (marked.statistic, marked.p_value) == (0.1, 0.001)
