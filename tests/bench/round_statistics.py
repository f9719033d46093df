"""What every measured member counted before a round: the same for all, by formula."""

from federated_router.federation.statistics import Statistics
from federated_router.priors.contents import Cell
from tests.bench.round_plan import catalogue

REQUESTS = 200


def filled(cells: tuple[Cell, ...]) -> Statistics:
    """Return statistics of REQUESTS requests over `cells`."""
    statistics = Statistics()
    for number in range(REQUESTS):
        cell = cells[number % len(cells)]
        statistics.succeed(
            Cell(cell.model, cell.region), latency_ms_per_token=5.0 + number % 40
        )
    return statistics


def measured_cells() -> tuple[Cell, ...]:
    """Return every cell of the measured layout; computed once for all members."""
    return catalogue().catalogue().cells
