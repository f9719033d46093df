"""Hartigan's dip test of cohort sums: one mode or several, and what silence is worth.

Decides how many values are tested, and states the power of a test of that many.
Statistic and p-value (Hartigan and Hartigan 1985, The Annals of Statistics 13) are
those of the package `diptest`: p-values under the uniform distribution, the least
favourable one with one mode for large samples. Refuses to know where samples come from
(`pooling`) and what follows from a finding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import diptest
import numpy as np
from numpy.typing import NDArray

from coordinator.robust.dip_tables import POWERS, SIZES

SAMPLES_MIN: Final = SIZES[0]
"""A smaller sample is not tested."""

SAMPLES_MAX: Final = SIZES[-1]
"""Values of a larger sample are left out, the last ones first."""

ALPHA: Final = 0.05
"""p-value from which on the power is stated."""


@dataclass(frozen=True, slots=True)
class DipTest:
    """A dip test: how many values, the statistic, its p-value, and the power.

    `power` is the probability that so large a sample gives a p-value of at most ALPHA
    when a third of its values are shifted by six standard deviations.
    """

    samples: int
    statistic: float
    p_value: float
    power: float


NOT_TESTED: Final = DipTest(0, 0.0, 1.0, 0.0)


def dip_test(values: Sequence[float] | NDArray[np.float64]) -> DipTest:
    """Test the first SAMPLES_MAX values; fewer than SAMPLES_MIN say nothing."""
    sample = np.asarray(values, dtype=np.float64)[:SAMPLES_MAX]
    size = len(sample)
    if size < SAMPLES_MIN:
        return DipTest(size, 0.0, 1.0, 0.0)
    statistic, p_value = diptest.diptest(sample)
    return DipTest(
        samples=size,
        statistic=float(statistic),
        p_value=float(p_value),
        power=_power(size),
    )


def _power(size: int) -> float:
    """Return the simulated power, interpolated over the logarithm of the size."""
    return float(np.interp(np.log(size), np.log(SIZES), POWERS))
