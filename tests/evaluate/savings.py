"""What choosing saves at equal quality, beside always asking the strong model.

The router's chooser chooses at several penalty factors, each the setting of a router of
its own. Its utility is quality less the factor times what the answer takes, so that one
factor is one point of quality and taking. Between neighbouring factors requests can be
mixed: that is the line between their points. A coin that asks the strong model for a
share of all questions gets that share of the gap, and pays it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.choosing import NO_WISHES
from federated_router.choice.settings import ChoiceSettings
from federated_router.footprint.reckoning import Footprint
from tests.evaluate.choice import taught
from tests.evaluate.mmlu import STRONG, Places, Questions
from tests.evaluate.picking import with_settings
from tests.evaluate.tariffs import Answered, answered

DIVISIONS: Final = 5
TESTED: Final = 2_000
TARGETS: Final = (0.8, 0.9, 0.95, 1.0)
BURDENS: Final = (0.0, 0.03, 0.06, 0.075, 0.09, 0.1, 0.11, 0.12, 0.13, 0.15, 0.2)
"""Utility that the strong model loses to the weak one at a question of mean length."""

INTENSITY: Final = 400.0
"""Grams a kWh of the one region here; shares saved do not depend on it."""

COST_SCALE: Final = 0.1
"""Dollars of an answer beyond which cost weighs no more: no answer here reaches it."""


@dataclass(frozen=True, slots=True)
class Point:
    """Shares of the gap in quality that is won, and of what always-strong takes."""

    quality: float
    taken: float


@dataclass(frozen=True, slots=True)
class Saving:
    """What is taken at each penalty factor, in each division.

    `weak_share` is what always asking the weak model takes of always-strong.
    """

    points: Sequence[Sequence[Point]]
    weak_share: float

    @property
    def curve(self) -> list[Point]:
        """Return the mean point of every factor, the least taken first."""
        return _ends(
            [
                Point(
                    float(np.mean([one.quality for one in alike])),
                    float(np.mean([one.taken for one in alike])),
                )
                for alike in zip(*self.points, strict=True)
            ],
            self.weak_share,
        )

    def saved(self, target: float) -> float:
        """Return the share saved against always-strong at a share of the gap."""
        return 1 - least_taken(self.curve, target)

    def saved_to_random(self, target: float) -> float:
        """Return the share saved against a coin of the same quality."""
        coin = target + (1 - target) * self.weak_share
        return 1 - least_taken(self.curve, target) / coin

    def spread(self, target: float) -> float:
        """Return the standard deviation of `saved` over divisions."""
        each = [
            1 - least_taken(_ends(points, self.weak_share), target)
            for points in self.points
        ]
        return float(np.std(each, ddof=1))


def least_taken(curve: Sequence[Point], target: float) -> float:
    """Return the least that is taken for a quality, on the lines between points.

    The points come with what they take rising; the last is always-strong.
    """
    best = 1.0
    for low, high in pairwise(curve):
        if low.quality >= target:
            best = min(best, low.taken)
        elif high.quality >= target:
            share = (target - low.quality) / (high.quality - low.quality)
            best = min(best, low.taken + share * (high.taken - low.taken))
    return best


Taken = Callable[[Footprint], float]
Weighed = Callable[[float], ChoiceSettings]


def carbon_saving(found: Questions) -> Saving:
    """Return what weighing carbon saves of it."""
    return _saving(found, lambda one: one.co2e_mg or 0.0, by_carbon)


def cost_saving(found: Questions) -> Saving:
    """Return what weighing cost saves of it."""
    return _saving(found, lambda one: one.cost, by_cost)


def by_carbon(factor: float) -> ChoiceSettings:
    """Return settings of a router that weighs carbon alone, for each milligram."""
    scale = ChoiceSettings().carbon_scale_mg
    return ChoiceSettings(
        carbon_weight=factor * scale, cost_weight=0.0, latency_weight=0.0
    )


def by_cost(factor: float) -> ChoiceSettings:
    """Return settings of a router that weighs cost alone, for each dollar."""
    return ChoiceSettings(
        cost_weight=factor * COST_SCALE,
        cost_scale=COST_SCALE,
        carbon_weight=0.0,
        latency_weight=0.0,
    )


def _saving(found: Questions, taken: Taken, weighed: Weighed) -> Saving:
    points: list[list[Point]] = []
    weak_shares: list[float] = []
    for seed in range(DIVISIONS):
        train, test = found.split(seed)
        test = test[:TESTED]
        told = taught(found, train)
        takings = {
            int(place): answered(found.texts[place], INTENSITY) for place in test
        }
        weak = sum(taken(one.weak) for one in takings.values())
        strong = sum(taken(one.strong) for one in takings.values())
        difference = (strong - weak) / len(takings)
        weak_shares.append(weak / strong)
        points.append(
            [
                _point(
                    found,
                    with_settings(told, weighed(burden / difference)),
                    test,
                    takings,
                    taken,
                )
                for burden in BURDENS
            ]
        )
    return Saving(points, float(np.mean(weak_shares)))


def _point(
    found: Questions,
    chooser: LinearChooser,
    test: Places,
    takings: Mapping[int, Answered],
    taken: Taken,
) -> Point:
    right = paid = strong = 0.0
    for place in test:
        each = takings[int(place)]
        choice = chooser.choose(
            found.prompts[place], each.options, NO_WISHES, explore=False
        )
        assert choice.chosen is not None
        right += (found.strong if choice.chosen == STRONG else found.weak)[place]
        paid += taken(each.of(choice.chosen))
        strong += taken(each.strong)
    low, high = found.weak[test].sum(), found.strong[test].sum()
    return Point(float((right - low) / (high - low)), paid / strong)


def _ends(points: Sequence[Point], weak_share: float) -> list[Point]:
    """Return points between always-weak and always-strong, what they take rising."""
    ends = [Point(0.0, weak_share), Point(1.0, 1.0)]
    return sorted([*points, *ends], key=lambda one: (one.taken, one.quality))
