"""What members count, before it is laid out in slots and after a sum is opened.

Decides the facts of each block and their integer units. Refuses to know slots
(`catalogue`), who counts and what noise is added: the same types hold one member's
plain counts and the federation's noised sums, in which any number may be negative.

All are sums of whole numbers over requests, never means: sums of members add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

STEPS_MAX: Final = 64
"""A measured quantity of one request lies in 0..STEPS_MAX steps of its unit."""

WEIGHT_REQUESTS_MAX: Final = 1000
"""Successful requests from which on a member has full weight in a weighted average."""


STANDARD_TIER: Final = "standard"
"""The tier of what has no other."""

PRIVATE_TIER: Final = "private"
"""The tier of private answers, which take their own time and are counted apart."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One model in one region at one quality tier; `model` is `models/NAME`."""

    model: str
    region: str
    tier: str = STANDARD_TIER


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Requests of one cell; noise may have made a count negative.

    `latency_counts` has one entry per bucket of successful requests, the last one above
    the last bound. `tokens`, `cost` and `energy` are sums of steps over the successful
    requests; the catalogue says how large a step is.
    """

    latency_counts: tuple[int, ...]
    failures: int
    tokens: int = 0
    cost: int = 0
    energy: int = 0

    @property
    def successes(self) -> int:
        """How many requests succeeded."""
        return sum(self.latency_counts)

    @property
    def requests(self) -> int:
        """How many requests ended, well or not."""
        return self.successes + self.failures


@dataclass(frozen=True, slots=True)
class WeightSums:
    """Members' weights for one cell, and their weighted mean latencies, summed.

    A member's weight is min(successes, WEIGHT_REQUESTS_MAX); `latency` sums its weight
    times the mean bucket of its successes. Members do not count these: encoding derives
    them from `CellCounts.latency_counts`.
    """

    weight: int
    latency: int


@dataclass(frozen=True, slots=True, order=True)
class PatternCell:
    """One kind of request at one model; `pattern` is a name of the catalogue."""

    pattern: str
    model: str


@dataclass(frozen=True, slots=True)
class PatternCounts:
    """Requests of one pattern at one model by how they ended."""

    successes: int
    failures: int

    @property
    def requests(self) -> int:
        """How many requests ended, well or not."""
        return self.successes + self.failures


@dataclass(frozen=True, slots=True)
class CarbonSums:
    """Carbon intensity at one region's requests, in steps, and their number."""

    requests: int
    intensity: int


@dataclass(frozen=True, slots=True)
class BanditSums:
    """Sufficient statistics of a linear model of reward, for one model.

    For feature vectors x of whole numbers and rewards r: `gram` is the upper triangle
    of the sum of x x^T by rows, d(d+1)/2 numbers; `moment` the sum of r x, d numbers.
    """

    gram: tuple[int, ...]
    moment: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HoldoutSums:
    """Requests predicted both ways before they were counted, and the priors' advantage.

    `advantage` sums the clipped log loss local-only less federated, in steps; its sign
    may be either without any noise.
    """

    requests: int
    advantage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Every block's counts; an absent key counts as zero."""

    performance: Mapping[Cell, CellCounts] = field(
        default_factory=lambda: MappingProxyType({})
    )
    weights: Mapping[Cell, WeightSums] = field(
        default_factory=lambda: MappingProxyType({})
    )
    patterns: Mapping[PatternCell, PatternCounts] = field(
        default_factory=lambda: MappingProxyType({})
    )
    carbon: Mapping[str, CarbonSums] = field(
        default_factory=lambda: MappingProxyType({})
    )
    bandits: Mapping[str, BanditSums] = field(
        default_factory=lambda: MappingProxyType({})
    )
    holdout: HoldoutSums = HoldoutSums(0, 0)
