"""Several rounds' priors as one, the older the less.

Decides how much a round counts by its age. Refuses to know which rounds there were and
where they are kept. Published sums are deltas, each request in one of them, so adding
rounds adds requests; forgetting weights a round's sums, and the deviation of its noise,
by 2^(-age / half_life). Noise of different rounds is independent, so variances add
exactly.

A catalogue that changes, but for its version, has other slots: what was accumulated
under the one before is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors

ROUNDS_MAX: Final = 256
"""Newest rounds of which it is known how much they count."""


@dataclass(frozen=True, slots=True)
class Accumulated:
    """Weighted sums as of `time_s`, seconds since the epoch; readable as `Sums`.

    `values` and `variances` have one entry per published slot; `rounds` says how much
    each of the newest rounds counts, by name.
    """

    catalogue: Catalogue
    time_s: float
    revision: int
    values: NDArray[np.float64] = field(repr=False)
    variances: NDArray[np.float64] = field(repr=False)
    rounds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

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
    rounds: dict[str, float] = {}
    if before is not None:
        if priors.revision <= before.revision:
            raise FieldInvalid(
                "Each revision is added once, in order.", field="revision"
            )
        if same_slots(before.catalogue, catalogue):
            age_s = max(0.0, priors.create_time_s - before.time_s)
            weight = 0.5 ** (age_s / half_life_s)
            values = values + weight * before.values
            variances = variances + weight**2 * before.variances
            newest = list(before.rounds.items())[1 - ROUNDS_MAX :]
            rounds = {name: weight * counted for name, counted in newest}
    rounds[priors.round_name] = 1.0
    return Accumulated(
        catalogue, priors.create_time_s, priors.revision, values, variances, rounds
    )


def same_slots(one: Catalogue, other: Catalogue) -> bool:
    """Return whether slots of both mean the same; their versions may differ."""
    return replace(one, version=1) == replace(other, version=1)
