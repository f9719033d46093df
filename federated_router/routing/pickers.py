"""Pickers: each takes one of the places on a slate that are open. Pure.

A picker reads the moment and changes nothing, so that an explanation picks as the next
decision does. What is drawn stays drawn until the next turn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.routing.columns import Floats
from federated_router.routing.moment import Moment
from federated_router.routing.roster import Roster
from federated_router.routing.slate import Slate
from federated_router.routing.turns import MASK, mixed_all

Places = Sequence[int]
"""Places on a slate that are open, in order; never none."""

Pick = Callable[[Slate, Moment, Places], int]
Weigh = Callable[[Roster], Floats]
TEMPERATURE: Final = 0.05
"""Scores that differ by this much are taken e times as often by `softmax`."""


@dataclass(frozen=True, slots=True)
class Picker:
    """A named way to take one place.

    `turn` is there where sites take turns: it says how often each is due.
    """

    name: str
    description: str
    pick: Pick
    turn: Weigh | None = None

    def took(self, slate: Slate, moment: Moment, places: Places, place: int) -> None:
        """Take note of the turn that was taken."""
        if self.turn is None:
            return
        open_, candidates = slate.rows(places), slate.candidates
        weights = self.turn(candidates)[open_]
        moment.turns.take(candidates.sites, weights, open_, place)


def _best(slate: Slate, moment: Moment, places: Places) -> int:
    """Pick the best score; among equals the least busy.

    What remains equal is decided by the beginning of the prompt, where it has one, as
    every router would, so that prompts that begin alike meet at one node; else the
    first by name is taken.
    """
    open_, scores = slate.rows(places), slate.scores(moment)
    mine = scores if open_ is slate.every else scores[open_]
    equals = open_[mine == mine.max()]
    if len(equals) > 1:
        busy = moment.running(slate.candidates)[equals]
        equals = equals[busy == busy.min()]
    prefix = moment.shape.prefix
    if not prefix or len(equals) == 1:
        return int(equals[0])
    begins = np.uint64(prefix[min(1, len(prefix) - 1)] & MASK)
    return int(equals[_rendezvous(begins, slate.candidates.node_digests[equals])])


def _rendezvous(begins: np.uint64, digests: NDArray[np.uint64]) -> int:
    """Return which node wins a prompt: the lowest mix (Thaler and Ravishankar).

    Where a node comes or goes, only the prompts that it wins or won move.
    """
    return int(np.argmin(mixed_all(digests ^ begins)))


def _in_turn(weigh: Weigh) -> Pick:
    def pick(slate: Slate, moment: Moment, places: Places) -> int:
        open_, candidates = slate.rows(places), slate.candidates
        weights = weigh(candidates)[open_]
        return moment.turns.due(candidates.sites, weights, open_)

    return pick


def _random(_: Slate, moment: Moment, places: Places) -> int:
    return places[int(moment.turns.draw(0) * len(places))]


def _power_of_two(slate: Slate, moment: Moment, places: Places) -> int:
    """Draw two and take the better; of equals the less busy (Mitzenmacher 2001)."""
    first = int(moment.turns.draw(0) * len(places))
    if len(places) == 1:
        return places[0]
    step = 1 + int(moment.turns.draw(1) * (len(places) - 1))
    one, other = places[first], places[(first + step) % len(places)]
    scores, running = slate.scores(moment), moment.running(slate.candidates)

    def order(place: int) -> tuple[float, float]:
        return -float(scores[place]), float(running[place])

    return other if order(other) < order(one) else one


def _softmax(slate: Slate, moment: Moment, places: Places) -> int:
    """Draw in proportion to exp(score / TEMPERATURE)."""
    open_ = slate.rows(places)
    scores = slate.scores(moment)[open_]
    shares = np.cumsum(np.exp((scores - scores.max()) / TEMPERATURE))
    drawn = moment.turns.draw(0) * shares[-1]
    number = int(np.searchsorted(shares, drawn, side="right"))
    return int(open_[min(number, len(open_) - 1)])


def _alike(candidates: Roster) -> Floats:
    return np.ones(len(candidates))


def _weight(candidates: Roster) -> Floats:
    return candidates.weights


BEST = Picker("best", "the best score, among equals the least busy", _best)
IN_TURN = Picker(
    "in_turn", "each in turn, whatever the scores", _in_turn(_alike), _alike
)
WEIGHTED_IN_TURN = Picker(
    "weighted_in_turn",
    "each in turn, in proportion to its weight",
    _in_turn(_weight),
    _weight,
)
RANDOM = Picker("random", "any, whatever the scores", _random)
POWER_OF_TWO = Picker(
    "power_of_two", "the better score of two that are drawn", _power_of_two
)
SOFTMAX = Picker("softmax", "drawn, better scores far more often", _softmax)
PICKERS: Final = {
    one.name: one
    for one in (BEST, IN_TURN, WEIGHTED_IN_TURN, RANDOM, POWER_OF_TWO, SOFTMAX)
}
