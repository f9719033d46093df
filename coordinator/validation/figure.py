"""A figure that was computed from noised sums, and how far noise moves it.

Decides when such a figure is below a threshold: only where noise alone would bring a
figure at the threshold so low with at most ERROR_RATE.
"""

import math
from dataclasses import dataclass
from typing import Final

ERROR_RATE: Final = 1e-6
"""Probability that noise alone makes one check fail that just holds."""

SIGMAS: Final = math.sqrt(2.0 * math.log(1.0 / ERROR_RATE))
"""5.26: a value of subgaussian scale s is beyond SIGMAS * s with ERROR_RATE at most."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and the subgaussian scale of the noise in it."""

    value: float
    deviation: float

    def below(self, threshold: float) -> bool:
        """Whether the value lies below the threshold by more than noise explains."""
        return self.value + SIGMAS * self.deviation < threshold


def mean_of(one: Figure, two: Figure) -> Figure:
    """Return the mean of two figures whose noise may be the same."""
    return Figure((one.value + two.value) / 2.0, (one.deviation + two.deviation) / 2.0)
