"""A member's own plain statistics, for its own operator only."""

from collections.abc import Callable, Sequence

from federated_router.api.v1 import priors_pb2
from federated_router.federation.statistics import Statistics

OwnStatistics = tuple[Sequence[priors_pb2.PerformancePrior], Sequence[float]]


def own_statistics(statistics: Statistics) -> Callable[[], OwnStatistics]:
    """Return a reader of what no round has taken yet, in the contract's form."""

    def read() -> OwnStatistics:
        batch = statistics.pending()
        cells = [
            priors_pb2.PerformancePrior(
                model=cell.model,
                region=cell.region,
                latency_counts=counts.latency_counts,
                failures=counts.failures,
            )
            for cell, counts in sorted(batch.cells.items())
        ]
        return cells, batch.latency_bounds_ms

    return read
