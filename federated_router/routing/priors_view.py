"""What the router believes of the federation: the newest priors, ready to look up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from federated_router.priors.catalogue import Cell
from federated_router.priors.performance import Performance
from federated_router.priors.publication import Priors


@dataclass(frozen=True, slots=True)
class PriorsView:
    """Performance by model and region at one revision; revision 0 knows nothing."""

    revision: int = 0
    cells: Mapping[Cell, Performance] = field(default_factory=dict)

    def performance(self, model: str, region: str) -> Performance | None:
        """Return what is known of a model in a region, if it says anything."""
        found = self.cells.get(Cell(model=model, region=region))
        return found if found is not None and found.weight > 0 else None


def view_of(priors: Priors) -> PriorsView:
    """Return published priors as a view; reading each cell once."""
    read = {cell: priors.read(cell) for cell in priors.performance}
    return PriorsView(
        revision=priors.revision,
        cells={cell: found for cell, found in read.items() if found is not None},
    )
