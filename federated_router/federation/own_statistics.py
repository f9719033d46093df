"""A member's own plain statistics, for its own operator only.

Decides what of them is shown. Refuses to know who may ask (`kit.ops`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from federated_router.api.v1 import ops_pb2, priors_pb2
from federated_router.federation.batch import Batch
from federated_router.federation.statistics import Statistics
from federated_router.priors.contents import Cell

ENERGY_SOURCE: Final = "modelled"
"""Energy is configured watts times seconds; nothing here measures it."""

OwnStatistics = Callable[[], ops_pb2.GetStatsResponse]


@dataclass(frozen=True, slots=True)
class LatencyShape:
    """The dip test of a cell's latencies; `dip` is Hartigan's statistic."""

    samples: int
    dip: float
    p_value: float
    multimodal: bool


Shapes = Callable[[], Mapping[Cell, LatencyShape]]


def no_shapes() -> Mapping[Cell, LatencyShape]:
    """Return nothing: this member keeps no latencies."""
    return {}


def own_statistics(
    statistics: Statistics, *, shapes: Shapes = no_shapes
) -> OwnStatistics:
    """Return a reader of what no round has taken yet, in the contract's form.

    It takes milliseconds, so servers call it in a thread.
    """

    def read() -> ops_pb2.GetStatsResponse:
        batch = statistics.pending()
        return ops_pb2.GetStatsResponse(
            performance=_performance(batch),
            latency_bounds_ms=batch.latency_bounds_ms,
            patterns=_patterns(batch),
            latency_shapes=_shapes(shapes()),
            requests=_balance(statistics),
            units=ops_pb2.StatisticsUnits(
                energy_source=ENERGY_SOURCE, **asdict(batch.units)
            ),
        )

    return read


def _performance(batch: Batch) -> Iterator[priors_pb2.PerformancePrior]:
    for cell, counts in sorted(batch.cells.items()):
        yield priors_pb2.PerformancePrior(
            model=cell.model,
            region=cell.region,
            tier=cell.tier,
            latency_counts=counts.latency_counts,
            failures=counts.failures,
            tokens=counts.tokens,
            cost=counts.cost,
            energy=counts.energy,
        )


def _patterns(batch: Batch) -> Iterator[priors_pb2.PatternPrior]:
    contents = batch.over(batch.latency_bounds_ms)
    for key, counts in sorted(contents.patterns.items()):
        yield priors_pb2.PatternPrior(
            pattern=key.pattern,
            model=key.model,
            successes=counts.successes,
            failures=counts.failures,
        )


def _shapes(shapes: Mapping[Cell, LatencyShape]) -> Iterator[ops_pb2.LatencyShape]:
    for cell, shape in sorted(shapes.items()):
        yield ops_pb2.LatencyShape(
            model=cell.model,
            region=cell.region,
            tier=cell.tier,
            samples=shape.samples,
            statistic=shape.dip,
            p_value=shape.p_value,
            multimodal=shape.multimodal,
        )


def _balance(statistics: Statistics) -> ops_pb2.RequestBalance:
    return ops_pb2.RequestBalance(**asdict(statistics.balance()), lost=statistics.lost)
