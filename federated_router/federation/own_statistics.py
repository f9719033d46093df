"""A member's own plain statistics, for its own operator only.

Decides what of them is shown. Refuses to know who may ask (`kit.ops`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum, auto
from itertools import starmap

from federated_router.api.v1 import ops_pb2
from federated_router.federation.priors_wire import (
    pattern_message,
    performance_message,
)
from federated_router.federation.statistics import Statistics
from federated_router.priors.contents import Cell

OwnStatistics = Callable[[], ops_pb2.GetStatsResponse]


class LatencyMeasure(StrEnum):
    """What a latency is measured of; in the contract by the same names."""

    TIME_PER_TOKEN = auto()  # of a whole request: what rounds sum
    TIME_TO_FIRST_TOKEN = auto()
    TIME_PER_OUTPUT_TOKEN = auto()  # after the first


_MEASURES = {
    LatencyMeasure.TIME_PER_TOKEN: ops_pb2.LATENCY_MEASURE_TIME_PER_TOKEN,
    LatencyMeasure.TIME_TO_FIRST_TOKEN: ops_pb2.LATENCY_MEASURE_TIME_TO_FIRST_TOKEN,
    LatencyMeasure.TIME_PER_OUTPUT_TOKEN: ops_pb2.LATENCY_MEASURE_TIME_PER_OUTPUT_TOKEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyShape:
    """A sample of a cell's latencies; `dip` is Hartigan's, of their logarithms."""

    cell: Cell
    measure: LatencyMeasure
    samples: int
    dip: float
    p_value: float
    multimodal: bool
    p50_ms: float
    p95_ms: float
    p99_ms: float


Shapes = Callable[[], Sequence[LatencyShape]]
Served = Callable[[], Iterable[ops_pb2.ServedRequests]]
EnergyLabel = Callable[[], str]


def no_shapes() -> Sequence[LatencyShape]:
    """Return nothing: this member keeps no latencies."""
    return ()


def none_served() -> Iterable[ops_pb2.ServedRequests]:
    """Return nothing: this member serves no requests itself."""
    return ()


def modelled() -> str:
    """Return the label of configured watts times seconds: nothing is measured."""
    return "modelled"


def own_statistics(
    statistics: Statistics,
    *,
    shapes: Shapes = no_shapes,
    served: Served = none_served,
    energy_source: EnergyLabel = modelled,
) -> OwnStatistics:
    """Return a reader of what no round has taken yet, in the contract's form.

    It takes milliseconds, so servers call it in a thread.
    """

    def read() -> ops_pb2.GetStatsResponse:
        batch = statistics.pending()
        patterns = batch.over(batch.latency_bounds_ms).patterns
        return ops_pb2.GetStatsResponse(
            performance=starmap(performance_message, sorted(batch.cells.items())),
            latency_bounds_ms=batch.latency_bounds_ms,
            patterns=starmap(pattern_message, sorted(patterns.items())),
            latency_shapes=map(_shape, shapes()),
            requests=_balance(statistics),
            units=ops_pb2.StatisticsUnits(
                energy_source=energy_source(), **asdict(batch.units)
            ),
            served=served(),
        )

    return read


def _shape(shape: LatencyShape) -> ops_pb2.LatencyShape:
    return ops_pb2.LatencyShape(
        model=shape.cell.model,
        region=shape.cell.region,
        tier=shape.cell.tier,
        samples=shape.samples,
        statistic=shape.dip,
        p_value=shape.p_value,
        multimodal=shape.multimodal,
        measure=_MEASURES[shape.measure],
        p50_ms=shape.p50_ms,
        p95_ms=shape.p95_ms,
        p99_ms=shape.p99_ms,
    )


def _balance(statistics: Statistics) -> ops_pb2.RequestBalance:
    return ops_pb2.RequestBalance(**asdict(statistics.balance()), lost=statistics.lost)
