"""The plausible cohort sums of one round, as arrays.

Decides their shapes and derives the figures that estimators, bounds and tests share.
Refuses to know slots' meaning.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coordinator.robust.chance import MAD_TO_DEVIATION
from federated_router.crypto.ckks import Integers
from federated_router.kit.errors import FieldInvalid

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class CohortSums:
    """C cohorts of S slots.

    `sums` (C, S) are opened sums without the count slot; `survivors` (C,) how many
    members each adds; `share_noise` (S,) the standard deviation of one member's noise
    in each slot.
    """

    sums: Integers = field(repr=False)
    survivors: Integers
    share_noise: Reals = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit together."""
        cohorts, slots = self.sums.shape
        fits = self.survivors.shape == (cohorts,) and self.share_noise.shape == (slots,)
        if not fits or not cohorts or int(self.survivors.min()) < 1:
            raise FieldInvalid(
                "Cohort sums need survivors for each cohort and noise for each slot.",
                field="cohorts",
            )

    @property
    def cohorts(self) -> int:
        """How many cohorts."""
        return len(self.survivors)

    @property
    def members(self) -> int:
        """How many members are in the sums together."""
        return int(self.survivors.sum())

    @cached_property
    def means(self) -> Reals:
        """Each cohort's sum per member, (C, S)."""
        means: Reals = self.sums / self.survivors[:, None]
        return means

    @cached_property
    def medians(self) -> Reals:
        """The median of the means in each slot, (S,)."""
        return np.median(self.means, axis=0)

    @cached_property
    def mean_noise(self) -> Reals:
        """The standard deviation of the noise in each mean, (C, S)."""
        noise: Reals = self.share_noise[None, :] / np.sqrt(self.survivors)[:, None]
        return noise

    @cached_property
    def deviations(self) -> Reals:
        """How far each mean lies from the median, in standard deviations, (C, S).

        The scale is the median absolute deviation of the slot's means, and never less
        than what the noise alone makes of it.
        """
        away = self.means - self.medians
        spread = MAD_TO_DEVIATION * np.median(np.abs(away), axis=0)
        scaled: Reals = away / np.maximum(spread[None, :], self.mean_noise)
        return scaled
