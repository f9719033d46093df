"""What one round taught the federation, as routers read it.

Decides which facts belong to published priors. Refuses to know how they travel, and
which routing decision follows from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from federated_router.priors.catalogue import Catalogue, Cell, CellCounts
from federated_router.priors.performance import Performance, read_performance


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """Noised counts of one revision; `create_time_s` is seconds since the epoch.

    `noise_standard_deviation` is that of every count; `performance` holds every cell
    of the catalogue.
    """

    revision: int
    round_name: str
    create_time_s: float
    catalogue: Catalogue
    members: int
    noise_standard_deviation: float
    performance: Mapping[Cell, CellCounts]

    def read(self, cell: Cell) -> Performance | None:
        """Return what the counts of `cell` say; None outside the catalogue."""
        counts = self.performance.get(cell)
        if counts is None:
            return None
        return read_performance(
            counts,
            bounds_ms=self.catalogue.latency_bounds_ms,
            noise_standard_deviation=self.noise_standard_deviation,
        )
