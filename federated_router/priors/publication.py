"""What one round taught the federation, as routers read it.

Decides which facts belong to published priors. Refuses to know how they travel, and
which routing decision follows from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, CellCounts, Contents
from federated_router.priors.performance import Performance, read_performance


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """Noised sums of one revision; `create_time_s` is seconds since the epoch.

    `contents` holds every key of every block of the catalogue. The noise on a slot of
    noise factor f has a standard deviation of f times `noise_by_block` of its block,
    or, for blocks that it does not name, f times `noise_standard_deviation`.
    `withdrawn_revision` is an earlier one that is no longer to be believed; 0 is none.
    """

    revision: int
    round_name: str
    create_time_s: float
    catalogue: Catalogue
    members: int
    noise_standard_deviation: float
    contents: Contents
    noise_by_block: Mapping[Block, float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    withdrawn_revision: int = 0

    @property
    def performance(self) -> Mapping[Cell, CellCounts]:
        """The counts of every cell."""
        return self.contents.performance

    def noise_of(self, quantity: str) -> float:
        """Return the noise's standard deviation on each slot of a quantity.

        Raises KeyError for a quantity (`Column.quantity`) that no block counts.
        """
        block, factor = self.catalogue.quantities[quantity]
        return factor * self.noise_by_block.get(block, self.noise_standard_deviation)

    def read(self, cell: Cell) -> Performance | None:
        """Return what the counts of `cell` say; None outside the catalogue."""
        counts = self.performance.get(cell)
        if counts is None:
            return None
        return read_performance(
            counts,
            bounds_ms=self.catalogue.latency_bounds_ms,
            noise_standard_deviation=self.noise_of("latency"),
        )
