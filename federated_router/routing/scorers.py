"""Scorers: each gives every candidate a number in [0, 1], 1 is best.

Scores compare candidates of one decision. Of a candidate that nothing is known of, a
scorer says what it says of all in common (NEUTRAL where it knows nothing at all), so
that ignorance neither attracts nor repels. Private answers take longer than public
ones, so that candidates are compared by cells of private answers, or by those of public
ones, and never by some of each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated_router.priors.contents import PRIVATE_TIER
from federated_router.priors.performance import Performance
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.columns import Floats
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.roster import Cell

NEUTRAL = 0.5
Score = Callable[[Sequence[Candidate], RouteQuery, PriorsView], list[float]]
Live = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named opinion on candidates.

    `live` is there where the opinion on a candidate moves with its load, and with
    nothing else: it takes requests in flight and slots. Without it the opinion stays
    until nodes or priors change.
    """

    name: str
    description: str
    score: Score
    live: Live | None = None


def _free(in_flight: Floats, slots: Floats) -> Floats:
    """Prefer nodes with free slots: 1 when idle, 0.5 when full, towards 0 beyond."""
    free: Floats = 1.0 / (1.0 + in_flight / np.maximum(slots, 1.0))
    return free


def _free_slots(
    candidates: Sequence[Candidate], _: RouteQuery, __: PriorsView
) -> list[float]:
    running = np.array([one.in_flight for one in candidates], dtype=np.float64)
    slots = np.array([one.slots for one in candidates], dtype=np.float64)
    free: list[float] = _free(running, slots).tolist()
    return free


def _prior_speed(
    candidates: Sequence[Candidate], query: RouteQuery, priors: PriorsView
) -> list[float]:
    """Prefer what the federation saw to be fast: the fastest median by the own."""
    return _judged(candidates, query, priors, _speeds)


def _prior_success(
    candidates: Sequence[Candidate], query: RouteQuery, priors: PriorsView
) -> list[float]:
    """Prefer what the federation saw to succeed."""
    return _judged(candidates, query, priors, _successes)


@dataclass(frozen=True, slots=True)
class Belief:
    """A value in [0, 1] and how far to trust it: min(sample_count / 1000, 1)."""

    value: float
    weight: float


Known = Mapping[Cell, Performance | None]
Beliefs = Mapping[Cell, Belief | None]


def _speeds(known: Known) -> Beliefs:
    medians = {cell: one.latency_ms_p50 if one else None for cell, one in known.items()}
    fastest = min((one for one in medians.values() if one is not None), default=1.0)
    return {
        cell: Belief(fastest / median, one.weight)
        if one and (median := medians[cell])
        else None
        for cell, one in known.items()
    }


def _successes(known: Known) -> Beliefs:
    return {
        cell: Belief(one.success_ratio, one.weight) if one else None
        for cell, one in known.items()
    }


def _judged(
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    believe: Callable[[Known], Beliefs],
) -> list[float]:
    """Judge by the cells of the tier that answers; alike candidates are looked up once.

    A private request is judged by the cells of private answers as soon as they say
    anything of one candidate, and by the public ones until then.
    """
    if query.private:
        cells = [(one.model, one.region, PRIVATE_TIER) for one in candidates]
        found = believe({cell: priors.performance(*cell) for cell in set(cells)})
        if any(one is not None for one in found.values()):
            return _believed(cells, found)
    cells = [(one.model, one.region, one.tier) for one in candidates]
    found = believe({cell: priors.performance(*cell) for cell in set(cells)})
    return _believed(cells, found)


def _believed(cells: Sequence[Cell], beliefs: Beliefs) -> list[float]:
    """Draw each value towards what is believed of all, by how little it is trusted.

    Towards a fixed point instead, the candidate with more samples would score better
    or worse for having them.
    """
    known = [belief for cell in cells if (belief := beliefs[cell]) is not None]
    trust = sum([belief.weight for belief in known])
    if not trust:
        return [NEUTRAL] * len(cells)
    common = sum([belief.value * belief.weight for belief in known]) / trust
    drawn = {cell: _drawn(belief, common) for cell, belief in beliefs.items()}
    return [drawn[cell] for cell in cells]


def _drawn(belief: Belief | None, common: float) -> float:
    if belief is None:
        return common
    return min(1.0, max(0.0, common + belief.weight * (belief.value - common)))


def _weight(
    candidates: Sequence[Candidate], _: RouteQuery, __: PriorsView
) -> list[float]:
    """Prefer nodes that are to get more: the own weight by the largest."""
    largest = max((one.weight for one in candidates), default=1.0)
    return [one.weight / largest for one in candidates]


FREE_SLOTS = Scorer(
    "free_slots", "1 when idle, 0.5 when full, towards 0 beyond", _free_slots, _free
)
PRIOR_SPEED = Scorer(
    "prior_speed", "the federation's median time for a token", _prior_speed
)
PRIOR_SUCCESS = Scorer(
    "prior_success", "the federation's ratio of success", _prior_success
)
WEIGHT = Scorer("weight", "the node's weight by the largest", _weight)
