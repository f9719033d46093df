"""Trying out another model than the best: how often at most, and which. Pure but count.

Decides a bound that holds at every moment: of n requests that may explore no more than
`exploration_max` times n do. Refuses to know why a model is the best.
"""

import math
from collections.abc import Sequence
from typing import Final

from federated_router.choice.choosing import Expectation
from federated_router.choice.settings import ChoiceSettings, Exploration

_OFTEN: Final = 2.0
"""How much more often than the bound chance would explore, so that it is used up."""


class Allowance:
    """How many requests may explore: earned by requests, used up by explorations.

    At most `exploration_window` requests' worth is saved up. Without any request there
    is none, so the bound holds from the first one on.
    """

    def __init__(self, settings: ChoiceSettings) -> None:
        self._share = settings.exploration_max
        self._requests = 0
        self._window = settings.exploration_window

    @property
    def chance(self) -> float:
        """The probability that the next request explores, if it may."""
        allowed = (self._requests + 1) * self._share >= 1 and self._share > 0
        return min(1.0, _OFTEN * self._share) if allowed else 0.0

    def earn(self) -> None:
        """Count a request that might have explored."""
        self._requests = min(self._requests + 1, self._window)

    def use(self) -> None:
        """Count an exploration, after the request was counted."""
        self._requests -= math.ceil(1 / self._share)


def chances(
    ranked: Sequence[Expectation], way: Exploration, chance: float
) -> tuple[float, ...]:
    """Return for each option, the best first, the probability of being tried out.

    With THOMPSON they share `chance` by the probability that a draw of the option's
    utility exceeds a draw of the best one's (pairwise, as both were normal); with
    EPSILON alike. The best one's is 0: taking it is no trial.
    """
    if len(ranked) < 2 or not chance or way is Exploration.OFF:  # noqa: PLR2004
        return (0.0,) * len(ranked)
    best, *others = ranked
    if way is Exploration.EPSILON:
        return (0.0, *(chance / len(others) for _ in others))
    better = [_better(one, best) for one in others]
    total = max(sum(better), 1.0)
    return (0.0, *(chance * one / total for one in better))


def drawn(probabilities: Sequence[float], uniform: float) -> int:
    """Return the place that a uniform number in [0, 1) falls on; 0 beyond them all."""
    reached = 0.0
    for place, probability in enumerate(probabilities):
        reached += probability
        if uniform < reached:
            return place
    return 0


def _better(one: Expectation, best: Expectation) -> float:
    spread = math.hypot(one.deviation, best.deviation) or 1e-9
    return 0.5 * math.erfc((best.utility - one.utility) / (spread * math.sqrt(2)))
