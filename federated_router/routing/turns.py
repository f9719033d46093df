"""What pickers remember from one decision to the next, and what they draw. Pure.

Weighted turns are smooth, as in Nginx: every site gains its weight at each decision,
the one with the most is taken and pays for all. Over as many decisions as the weights
add up to, each site is taken exactly as often as it weighs, and spread out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from federated_router.routing.candidate import Site

_MASK = (1 << 64) - 1


@dataclass(slots=True)
class Turns:
    """How many decisions were made, what each site is owed, and the seed of draws."""

    seed: int = 0
    number: int = 0
    owed: dict[Site, float] = field(default_factory=dict)

    def draw(self, salt: int) -> float:
        """Return a number in [0, 1), the same until the next turn."""
        return mixed(self.seed ^ mixed(self.number * 8 + salt)) / (_MASK + 1)

    def due(self, sites: Sequence[Site], weights: Sequence[float]) -> int:
        """Return whose turn it is."""
        known = self.owed
        owed = [
            known.get(site, 0.0) + weight
            for site, weight in zip(sites, weights, strict=True)
        ]
        return owed.index(max(owed))

    def take(
        self, sites: Sequence[Site], weights: Sequence[float], number: int
    ) -> None:
        """Take the turn of one of these: it pays what all of them gain."""
        owed = self.owed
        for site, weight in zip(sites, weights, strict=True):
            owed[site] = owed.get(site, 0.0) + weight
        owed[sites[number]] -= sum(weights)

    def keep_only(self, sites: Collection[Site]) -> None:
        """Forget what sites are owed that are gone."""
        for site in [one for one in self.owed if one not in sites]:
            del self.owed[site]


def mixed(value: int) -> int:
    """Return 64 bits that look random, the same for the same value (SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
