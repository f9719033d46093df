"""Pickers: each takes one of the places on a slate that are open. Pure.

A picker reads the moment and changes nothing, so that an explanation picks as the next
decision does. What is drawn stays drawn until the next turn.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from federated_router.routing.candidate import Candidate, Site
from federated_router.routing.moment import Moment
from federated_router.routing.slate import Slate
from federated_router.routing.turns import mixed

Places = Sequence[int]
"""Places on a slate that are open, in order; never none."""

Pick = Callable[[Slate, Moment, Places], int]
Weigh = Callable[[Candidate], float]
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
        if self.turn is not None:
            sites, weights = _turns(slate, places, self.turn)
            moment.turns.take(sites, weights, places.index(place))


def _best(slate: Slate, moment: Moment, places: Places) -> int:
    """Pick the best score; among equals the least busy.

    What remains equal is decided by the beginning of the prompt, where it has one, as
    every router would, so that prompts that begin alike meet at one node; else the
    first by name is taken.
    """
    scores, in_flight = slate.scores(moment), moment.in_flight
    everybody = len(places) == len(scores)
    top = max(scores) if everybody else max(scores[place] for place in places)
    prefix = moment.shape.prefix
    if everybody and not prefix:
        first = scores.index(top)
        if slate.candidates[first].node not in in_flight:
            return first
    equals = [place for place in places if scores[place] == top]
    if len(equals) == 1:
        return equals[0]
    least = min(in_flight.get(slate.candidates[place].node, 0) for place in equals)
    idlest = [
        place
        for place in equals
        if in_flight.get(slate.candidates[place].node, 0) == least
    ]
    if not prefix or len(idlest) == 1:
        return idlest[0]
    begins = prefix[min(1, len(prefix) - 1)]
    return min(
        idlest, key=lambda place: _rendezvous(begins, slate.candidates[place].node)
    )


def _rendezvous(digest: int, node: str) -> int:
    """Return a node's number for a prompt; the lowest wins (Thaler and Ravishankar).

    Where a node comes or goes, only the prompts that it wins or won move.
    """
    return mixed(digest ^ _number(node))


@lru_cache(maxsize=8192)
def _number(node: str) -> int:
    """Return a node's own number, the same at every router."""
    return int.from_bytes(blake2b(node.encode(), digest_size=8).digest(), "big")


def _in_turn(weigh: Weigh) -> Pick:
    def pick(slate: Slate, moment: Moment, places: Places) -> int:
        sites, weights = _turns(slate, places, weigh)
        return places[moment.turns.due(sites, weights)]

    return pick


def _turns(
    slate: Slate, places: Places, weigh: Weigh
) -> tuple[Sequence[Site], Sequence[float]]:
    """Return the open sites, and how often each is due."""
    weights = [weigh(slate.candidates[place]) for place in places]
    if len(weights) == len(slate.sites):
        return slate.sites, weights
    return [slate.sites[place] for place in places], weights


def _random(_: Slate, moment: Moment, places: Places) -> int:
    return places[int(moment.turns.draw(0) * len(places))]


def _power_of_two(slate: Slate, moment: Moment, places: Places) -> int:
    """Draw two and take the better; of equals the less busy (Mitzenmacher 2001)."""
    first = int(moment.turns.draw(0) * len(places))
    if len(places) == 1:
        return places[0]
    step = 1 + int(moment.turns.draw(1) * (len(places) - 1))
    one, other = places[first], places[(first + step) % len(places)]
    scores, in_flight = slate.scores(moment), moment.in_flight

    def order(place: int) -> tuple[float, int]:
        return -scores[place], in_flight.get(slate.candidates[place].node, 0)

    return other if order(other) < order(one) else one


def _softmax(slate: Slate, moment: Moment, places: Places) -> int:
    """Draw in proportion to exp(score / TEMPERATURE)."""
    scores = slate.scores(moment)
    top = max(scores[place] for place in places)
    shares = [math.exp((scores[place] - top) / TEMPERATURE) for place in places]
    drawn = moment.turns.draw(0) * sum(shares)
    for place, share in zip(places, shares, strict=True):
        drawn -= share
        if drawn < 0:
            return place
    return places[-1]


def _alike(_: Candidate) -> float:
    return 1.0


def _weight(candidate: Candidate) -> float:
    return candidate.weight


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
