"""Sums over this router's own outcomes of one model, the older the less. Pure.

Decides the sufficient statistics of a linear model of reward and their forgetting.
Refuses to know how they are solved. Outcomes are added with weights that grow as time
passes, so that none of what was added before is touched: an outcome counts half of
another that came `half_life_s` later.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated_router.choice.sight import Sight
from federated_router.priors.features import FEATURE_COUNT

Reals = NDArray[np.float64]

_DOUBLINGS_MAX = 64.0
"""Half-lives after which weights are brought back to 1, before they lose digits."""


@dataclass(frozen=True, slots=True)
class RewardSums:
    """Of features x and rewards r in [0, 1]: sum x x^T, sum r x, and the requests.

    `gram` has the shape (features, features), `moment` (features,).
    """

    gram: Reals = field(repr=False)
    moment: Reals = field(repr=False)
    requests: float


@dataclass(frozen=True, slots=True)
class PatternSums:
    """Requests of one pattern at one model, and the sum of their rewards."""

    rewards: float
    requests: float


NO_PATTERN = PatternSums(0.0, 0.0)


class OwnRewards:
    """The outcomes of one model, as of any later time."""

    def __init__(self, *, word_features: int, half_life_s: float, now_s: float) -> None:
        width = FEATURE_COUNT + word_features
        self._gram: Reals = np.zeros((width, width), dtype=np.float64)
        self._moment: Reals = np.zeros(width, dtype=np.float64)
        self._requests = 0.0
        self._patterns: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._half_life_s = half_life_s
        self._origin_s = now_s

    def add(self, seen: Sight, reward: float, *, now_s: float) -> None:
        """Add an outcome; `now_s` is of a clock that never goes back."""
        if (now_s - self._origin_s) / self._half_life_s > _DOUBLINGS_MAX:
            self._rebase(now_s)
        weight = 2.0 ** ((now_s - self._origin_s) / self._half_life_s)
        square = np.ix_(seen.places, seen.places)
        self._gram[square] += weight * np.outer(seen.values, seen.values)
        self._moment[seen.places] += weight * reward * seen.values
        self._requests += weight
        pattern = self._patterns[seen.pattern]
        pattern[0] += weight * reward
        pattern[1] += weight

    def sums(self, now_s: float) -> RewardSums:
        """Return a copy of the sums as they count now."""
        scale = self._scale(now_s)
        return RewardSums(
            scale * self._gram, scale * self._moment, scale * self._requests
        )

    def pattern(self, name: str, now_s: float) -> PatternSums:
        """Return what was seen of a pattern, as it counts now."""
        found = self._patterns.get(name)
        if found is None:
            return NO_PATTERN
        scale = self._scale(now_s)
        return PatternSums(scale * found[0], scale * found[1])

    def _scale(self, now_s: float) -> float:
        return float(2.0 ** -((now_s - self._origin_s) / self._half_life_s))

    def _rebase(self, now_s: float) -> None:
        scale = self._scale(now_s)
        self._gram *= scale
        self._moment *= scale
        self._requests *= scale
        for pattern in self._patterns.values():
            pattern[0] *= scale
            pattern[1] *= scale
        self._origin_s = now_s
