"""Which opened sums members can have made.

Decides per cohort whether its count slot, its empty places and its sums are what
contributions within their bounds and noise can reach. Refuses to change or repair a
sum: an implausible cohort is left out whole and named. A poisoner that stays within
what its cohort can reach is not seen here; `robust` bounds what it achieves.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coordinator.summation.opened import OpenedCohort
from federated_router.crypto import quantise
from federated_router.crypto.ckks import Integers
from federated_router.kit.errors import CiphertextMalformed
from federated_router.priors.catalogue import Catalogue

FALSE_REJECTIONS: Final = 1e-12
"""Probability that the noise alone makes a cohort's sum implausible."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SlotLimits:
    """What one member may put into each published slot, (S,) each.

    `low` and `high` bound its contribution; `share_noise` is the standard deviation of
    the noise that it adds.
    """

    low: Integers = field(repr=False)
    high: Integers = field(repr=False)
    share_noise: Reals = field(repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue, *, share_sigma: float) -> "SlotLimits":
        """Return the limits of a catalogue; `share_sigma` is the noise at factor 1."""
        low, high = np.array(catalogue.slot_bounds, dtype=np.int64).T
        factors = np.array(catalogue.noise_factors, dtype=np.float64)
        return cls(low=low, high=high, share_noise=share_sigma * factors)

    @property
    def slots(self) -> int:
        """How many slots are published."""
        return len(self.low)

    def sum_range(self, members: int) -> tuple[Integers, Integers]:
        """Return the least and the greatest plausible sum of so many members, (S,)."""
        tail = noise_tail(self.share_noise * math.sqrt(members), slots=self.slots)
        return members * self.low - tail, members * self.high + tail

    def mean_width(self, members: int) -> Reals:
        """Return how wide the plausible means of so many members lie, (S,)."""
        low, high = self.sum_range(members)
        width: Reals = (high - low) / members
        return width


def published_slots(cohort: OpenedCohort, limits: SlotLimits) -> Integers:
    """Return a cohort's sums without the count, in slot order.

    Raises:
        CiphertextMalformed: the count is not that of the survivors, a place that
            nobody fills is not empty, or a sum is beyond what members may contribute
            and noise may add.
    """
    sums = quantise.without_count(
        cohort.slots, accepted=cohort.survivors, slots=limits.slots
    )
    low, high = limits.sum_range(cohort.survivors)
    if bool((sums < low).any()) or bool((sums > high).any()):
        raise CiphertextMalformed(
            "A sum is beyond what contributions and noise can reach.",
            field="contributions",
            metadata={"cohort": str(cohort.number)},
        )
    return sums


def noise_tail(deviations: Reals, *, slots: int) -> Integers:
    """Return what noise exceeds in any of so many slots with FALSE_REJECTIONS.

    A discrete Gaussian of scale sigma is subgaussian with the same scale (Canonne,
    Kamath and Steinke 2020): P(|X| > t) <= 2 exp(-t^2 / (2 sigma^2)).
    """
    factor = math.sqrt(2 * math.log(2 * slots / FALSE_REJECTIONS))
    return np.ceil(deviations * factor).astype(np.int64)
