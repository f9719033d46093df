"""What can be read: sums of some rounds, and how noisy each number of them is."""

import math
from dataclasses import dataclass
from typing import Final, Protocol

from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents

SIGMAS: Final = 3.0
"""Standard deviations of its noise that a number must exceed to say anything."""


class Sums(Protocol):
    """Priors of one round, or of several."""

    @property
    def catalogue(self) -> Catalogue:
        """The layout."""
        ...

    @property
    def contents(self) -> Contents:
        """The noised sums."""
        ...

    def noise_of(self, quantity: str) -> float:
        """Return the noise's standard deviation on each number of a quantity."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the standard error that noise alone gives it, in the same unit."""

    value: float
    standard_error: float

    def times(self, unit: float) -> "Estimate":
        """Return the estimate in another unit, `unit` of which make one of its own."""
        return Estimate(self.value * unit, self.standard_error * unit)


def ratio(
    over: float, under: float, *, over_noise: float, under_noise: float
) -> Estimate | None:
    """Return over / under for two noised sums of no negative numbers.

    None where the divisor does not exceed SIGMAS of its noise. The error is that of the
    first-order expansion; beyond SIGMAS the divisor's noise biases the ratio by less
    than a ninth.
    """
    if under <= 0 or under < SIGMAS * under_noise:
        return None
    value = max(over, 0.0) / under
    error = math.hypot(over_noise, value * under_noise) / under
    return Estimate(value, error)
