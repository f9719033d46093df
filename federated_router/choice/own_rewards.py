"""Sums over this router's own outcomes of one model, the older the less. Pure.

Decides the sufficient statistics of a linear model of reward and their forgetting.
Refuses to know how they are solved. Outcomes are added with weights that grow as time
passes, so that none of what was added before is touched: an outcome counts half of
another that came `half_life_s` later.

An outcome is noted in a microsecond; its products are added when sums are taken, in the
thread that takes them, while another may add outcomes.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from federated_router.choice.sight import Sight

Reals = NDArray[np.float64]

ROWS_MAX: Final = 1024
"""Outcomes whose products wait to be added; with one more they all are."""

_AT_ONCE: Final = 32
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


class _Row(NamedTuple):
    seen: Sight
    reward: float
    now_s: float


class _Ageing:
    """Weights of outcomes at any time, relative to an origin that moves on."""

    def __init__(self, half_life_s: float, now_s: float) -> None:
        self._half_life_s = half_life_s
        self._origin_s = now_s

    def weight(self, now_s: float) -> float:
        """Return what an outcome of now adds."""
        return float(2.0 ** ((now_s - self._origin_s) / self._half_life_s))

    def scale(self, now_s: float) -> float:
        """Return what brings sums to what they count now."""
        return float(2.0 ** -((now_s - self._origin_s) / self._half_life_s))

    def renewed(self, now_s: float) -> float | None:
        """Return what sums are to be multiplied with, if the origin had to move."""
        if now_s - self._origin_s <= _DOUBLINGS_MAX * self._half_life_s:
            return None
        scale, self._origin_s = self.scale(now_s), now_s
        return scale


class OwnRewards:
    """The outcomes of one model, as of any later time; `width` numbers of a prompt.

    Times are of a clock that never goes back.
    """

    def __init__(self, *, width: int, half_life_s: float, now_s: float) -> None:
        self._gram: Reals = np.zeros((width, width), dtype=np.float64)
        self._moment: Reals = np.zeros(width, dtype=np.float64)
        self._requests = 0.0
        self._age = _Ageing(half_life_s, now_s)
        self._rows: deque[_Row] = deque()
        self._adding = threading.Lock()
        self._patterns: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._pattern_age = _Ageing(half_life_s, now_s)

    def add(self, seen: Sight, reward: float, *, now_s: float) -> None:
        """Note an outcome; it counts in the next sums."""
        self._rows.append(_Row(seen, reward, now_s))
        self._add_pattern(seen.pattern, reward, now_s)
        if len(self._rows) > ROWS_MAX:
            with self._adding:
                self._add_rows()

    def sums(self, now_s: float) -> RewardSums:
        """Return a copy of the sums as they count now; takes milliseconds."""
        with self._adding:
            self._add_rows()
            scale = self._age.scale(now_s)
            return RewardSums(
                scale * self._gram, scale * self._moment, scale * self._requests
            )

    def pattern(self, name: str, now_s: float) -> PatternSums:
        """Return what was seen of a pattern, as it counts now."""
        found = self._patterns.get(name)
        if found is None:
            return NO_PATTERN
        scale = self._pattern_age.scale(now_s)
        return PatternSums(scale * found[0], scale * found[1])

    def _add_pattern(self, name: str, reward: float, now_s: float) -> None:
        scale = self._pattern_age.renewed(now_s)
        if scale is not None:
            for sums in self._patterns.values():
                sums[0] *= scale
                sums[1] *= scale
        weight = self._pattern_age.weight(now_s)
        sums = self._patterns[name]
        sums[0] += weight * reward
        sums[1] += weight

    def _add_rows(self) -> None:
        while self._rows:
            count = min(len(self._rows), _AT_ONCE)
            self._add_products([self._rows.popleft() for _ in range(count)])

    def _add_products(self, rows: Sequence[_Row]) -> None:
        scale = self._age.renewed(rows[-1].now_s)
        if scale is not None:
            self._gram *= scale
            self._moment *= scale
            self._requests *= scale
        # Row by row at the places of a prompt: a product of matrices would take as many
        # threads as there are cores, and longer where those are busy.
        gram, width = self._gram.ravel(), len(self._moment)
        for row in rows:
            weight, seen = self._age.weight(row.now_s), row.seen
            places = np.add.outer(width * seen.places, seen.places)
            gram[places] += np.multiply.outer(weight * seen.values, seen.values)
            self._moment[seen.places] += weight * row.reward * seen.values
            self._requests += weight
