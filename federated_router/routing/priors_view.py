"""What the router believes of the federation, ready to look up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from federated_router.priors.accumulate import Accumulated
from federated_router.priors.contents import STANDARD_TIER, Cell
from federated_router.priors.performance import Performance, read_performance


@dataclass(frozen=True, slots=True)
class PriorsView:
    """Performance by cell at one revision; revision 0 knows nothing."""

    revision: int = 0
    cells: Mapping[Cell, Performance] = field(default_factory=dict)

    def performance(
        self, model: str, region: str, tier: str = STANDARD_TIER
    ) -> Performance | None:
        """Return what is known of a model in a region at a tier, if anything."""
        found = self.cells.get(Cell(model, region, tier))
        return found if found is not None and found.weight > 0 else None


def view_of(total: Accumulated) -> PriorsView:
    """Return accumulated priors as a view; reading each cell once."""
    noise = total.noise_of("latency")
    return PriorsView(
        revision=total.revision,
        cells={
            cell: read_performance(
                counts,
                bounds_ms=total.catalogue.latency_bounds_ms,
                noise_standard_deviation=noise,
            )
            for cell, counts in total.contents.performance.items()
        },
    )
