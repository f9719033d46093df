"""What pickers remember from one decision to the next, and what they draw. Pure.

Weighted turns are smooth, as in Nginx: every site gains its weight at each decision,
the one with the most is taken and pays for all. Over as many decisions as the weights
add up to, each site is taken exactly as often as it weighs, and spread out.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated_router.routing.candidate import Site
from federated_router.routing.columns import Column, Floats, Rows

MASK = (1 << 64) - 1


@dataclass(slots=True)
class Turns:
    """How many decisions were made, what each site is owed, and the seed of draws."""

    seed: int = 0
    number: int = 0
    owed: Column[Site, float] = field(default_factory=lambda: Column(float))

    def draw(self, salt: int) -> float:
        """Return a number in [0, 1), the same until the next turn."""
        return mixed(self.seed ^ mixed(self.number * 8 + salt)) / (MASK + 1)

    def due(self, sites: tuple[Site, ...], weights: Floats, places: Rows) -> int:
        """Return at which of the open places among these sites the turn is.

        `weights` are those of the open places, in their order.
        """
        return int(places[np.argmax(self.owed.of(sites)[places] + weights)])

    def take(
        self, sites: tuple[Site, ...], weights: Floats, places: Rows, place: int
    ) -> None:
        """Take the turn of one of these places: it pays what all of them gain."""
        self.owed.add_all(sites, weights, places)
        self.owed.add(sites[place], -float(weights.sum()))

    def keep_only(self, sites: Collection[Site]) -> None:
        """Forget what sites are owed that are gone."""
        self.owed.keep_only(sites)


def mixed(value: int) -> int:
    """Return 64 bits that look random, the same for the same value (SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def mixed_all(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return `mixed` of each: arrays of 64 bits wrap around as its mask does."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
