"""Several rounds' priors as one, the older the less.

Decides how much a round counts by its age. Refuses to know which rounds there were and
where they are kept. Published sums are deltas, each request in one of them, so adding
rounds adds requests; forgetting weights a round's sums, and the deviation of its noise,
by 2^(-age / half_life). Noise of different rounds is independent, so variances add
exactly.

A catalogue that changes, but for its version, has other slots: what was accumulated
under the one before is forgotten.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors


@dataclass(frozen=True, slots=True)
class Accumulated:
    """Weighted sums as of `time_s`, seconds since the epoch; readable as `Sums`.

    `values` and `variances` have one entry per published slot.
    """

    catalogue: Catalogue
    time_s: float
    revision: int
    values: NDArray[np.float64] = field(repr=False)
    variances: NDArray[np.float64] = field(repr=False)

    @property
    def contents(self) -> Contents:
        """The weighted sums, rounded to whole numbers."""
        return self.catalogue.decode([round(value) for value in self.values.tolist()])

    def noise_of(self, quantity: str) -> float:
        """Return the noise's standard deviation on each number of a quantity.

        Raises KeyError for a quantity that no block counts.
        """
        return float(np.sqrt(self.variances[self.catalogue.slot_of(quantity)]))


def accumulate(
    before: Accumulated | None, priors: Priors, *, half_life_s: float
) -> Accumulated:
    """Return `before`, aged to the time of `priors`, plus their sums.

    Raises:
        FieldInvalid: no half-life, or priors that are not newer than those before.
    """
    if not half_life_s > 0:
        raise FieldInvalid("A half-life is above 0 seconds.", field="half_life_s")
    catalogue = priors.catalogue
    values = np.array(catalogue.flatten(priors.contents), dtype=np.float64)
    variances = (
        np.array([priors.noise_of(column.quantity) for column in catalogue.columns])
        ** 2
    )
    if before is not None:
        if priors.revision <= before.revision:
            raise FieldInvalid(
                "Each revision is added once, in order.", field="revision"
            )
        if _same_slots(before.catalogue, catalogue):
            age_s = max(0.0, priors.create_time_s - before.time_s)
            weight = 0.5 ** (age_s / half_life_s)
            values = values + weight * before.values
            variances = variances + weight**2 * before.variances
    return Accumulated(
        catalogue, priors.create_time_s, priors.revision, values, variances
    )


def _same_slots(one: Catalogue, other: Catalogue) -> bool:
    return replace(one, version=1) == replace(other, version=1)
