"""A slate: what of a decision stays the same until nodes, priors or strategy change.

Most of a decision does not depend on the moment: who may serve a query, and what the
priors say of each. A slate holds that once, so that a live decision only weighs what
moves, the requests in flight, and only at nodes that have some. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.decision import Scored, WeightedScore, added
from federated_router.routing.filters import Filter
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.scorers import Live, Scorer

InFlight = Mapping[str, int]
KNOWN_MAX = 65_536
"""How many scores of busy candidates a slate remembers."""


@dataclass(frozen=True, slots=True)
class LiveOpinion:
    """A scorer whose opinion moves with the requests in flight."""

    scorer: str
    live: Live
    weight: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A candidate, the opinions on it that do not move, and their weighted sum."""

    candidate: Candidate
    settled: tuple[WeightedScore, ...]
    settled_sum: float


@dataclass(frozen=True, slots=True)
class Slate:
    """The candidates that a query may be given, in order of node and model.

    `idle_scores` are their scores without requests, `places` says where a node's
    candidates stand, `weight` is the sum of all scorers' weights. What moves with
    load is a function of place and load, so it is computed once.
    """

    entries: tuple[Entry, ...]
    refused: tuple[Scored, ...]
    live: tuple[LiveOpinion, ...]
    weight: float
    idle_scores: tuple[float, ...]
    places: Mapping[str, tuple[int, ...]]
    _known: dict[tuple[int, int], float] = field(default_factory=dict)

    def scores(self, in_flight: InFlight) -> list[float]:
        """Return every candidate's score while so many requests run at each node.

        Each is `Scored.score` of the same moment, to the last bit.
        """
        scores, known = list(self.idle_scores), self._known
        for node, requests in in_flight.items():
            for place in self.places.get(node, ()):
                score = known.get((place, requests))
                if score is None:
                    score = self._remembered(place, requests)
                scores[place] = score
        return scores

    def candidate(self, place: int, in_flight: InFlight) -> Candidate:
        """Return one candidate as it is now."""
        return _now(self.entries[place].candidate, in_flight)

    def scored(self, in_flight: InFlight) -> list[Scored]:
        """Return every candidate with all that is said about it now."""
        return [
            _scored(_now(entry.candidate, in_flight), entry, self.live)
            for entry in self.entries
        ]

    def _remembered(self, place: int, requests: int) -> float:
        """Return a candidate's score under a load, and keep it for the next time."""
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        score = _score(self.entries[place], requests, self.live, self.weight)
        self._known[place, requests] = score
        return score

    def refused_now(self, in_flight: InFlight) -> list[Scored]:
        """Return every candidate that a filter removed, as it is now."""
        return [
            replace(one, candidate=_now(one.candidate, in_flight))
            for one in self.refused
        ]


def slate_of(
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    *,
    filters: Sequence[Filter],
    scorers: Sequence[tuple[Scorer, float]],
) -> Slate:
    """Return the slate of a query; opinions that move come after those that do not."""
    ordered = sorted(candidates, key=lambda one: (one.node, one.model))
    names = [_rejection(filters, one, query) for one in ordered]
    verdicts = list(zip(ordered, names, strict=True))
    admitted = [one for one, name in verdicts if not name]
    entries = _entries(admitted, query, priors, scorers)
    live = tuple(
        LiveOpinion(scorer.name, scorer.live, weight)
        for scorer, weight in scorers
        if scorer.live is not None
    )
    settled_weights = [weight for scorer, weight in scorers if scorer.live is None]
    weight = added((one.weight for one in live), added(settled_weights))
    return Slate(
        entries=entries,
        refused=tuple(Scored(one, rejected_by=name) for one, name in verdicts if name),
        live=live,
        weight=weight,
        idle_scores=tuple(_score(entry, 0, live, weight) for entry in entries),
        places=_places(entries),
    )


def _rejection(
    filters: Sequence[Filter], candidate: Candidate, query: RouteQuery
) -> str:
    return next((one.name for one in filters if not one.admits(candidate, query)), "")


def _entries(
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    scorers: Sequence[tuple[Scorer, float]],
) -> tuple[Entry, ...]:
    opinions = [
        (scorer.name, weight, scorer.score(candidates, query, priors))
        for scorer, weight in scorers
        if scorer.live is None
    ]
    entries: list[Entry] = []
    for place, candidate in enumerate(candidates):
        settled = tuple(
            WeightedScore(scorer=name, score=scores[place], weight=weight)
            for name, weight, scores in opinions
        )
        settled_sum = added(one.score * one.weight for one in settled)
        entries.append(Entry(candidate, settled, settled_sum))
    return tuple(entries)


def _places(entries: Sequence[Entry]) -> Mapping[str, tuple[int, ...]]:
    places: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for place, entry in enumerate(entries):
        places[entry.candidate.node] += (place,)
    return dict(places)


def _score(
    entry: Entry, requests: int, live: Sequence[LiveOpinion], weight: float
) -> float:
    total, slots = entry.settled_sum, entry.candidate.slots
    for one in live:
        total += one.live(requests, slots) * one.weight
    return total / (weight or 1.0)


def _scored(candidate: Candidate, entry: Entry, live: Sequence[LiveOpinion]) -> Scored:
    moving = (
        WeightedScore(
            scorer=one.scorer,
            score=one.live(candidate.in_flight, candidate.slots),
            weight=one.weight,
        )
        for one in live
    )
    return Scored(candidate, (*entry.settled, *moving))


def _now(candidate: Candidate, in_flight: InFlight) -> Candidate:
    requests = in_flight.get(candidate.node, 0)
    if requests == candidate.in_flight:
        return candidate
    return replace(candidate, in_flight=requests)
