"""A slate: what of a decision stays the same until nodes, priors or strategy change.

Most of a decision does not depend on the moment: who may serve a query, and what the
priors say of each. A slate holds that once, so that a live decision only weighs what
moves: the requests in flight, at nodes that have some, and the opinions that are of one
request at one moment. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from federated_router.routing.candidate import Candidate, RouteQuery, Site
from federated_router.routing.decision import Scored, WeightedScore, added
from federated_router.routing.filters import Filter
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import MovingScorer
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.scorers import Live, Scorer

AnyScorer = Scorer | MovingScorer
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

    `idle_sums` are their weighted sums without requests, `places` says where a node's
    candidates stand, `weight` is the sum of all scorers' weights. What moves with load
    is a function of place and load, so it is computed once. `moving` are the opinions
    that are asked for at every decision. Candidates of one of the `kinds` differ in
    nothing but their node and its size.
    """

    entries: tuple[Entry, ...]
    candidates: tuple[Candidate, ...]
    sites: tuple[Site, ...]
    kinds: tuple[int, ...]
    refused: tuple[Scored, ...]
    live: tuple[LiveOpinion, ...]
    moving: tuple[tuple[MovingScorer, float], ...]
    weight: float
    idle_sums: tuple[float, ...]
    places: Mapping[str, tuple[int, ...]]
    _known: dict[tuple[int, int], float] = field(default_factory=dict)

    def scores(self, moment: Moment) -> list[float]:
        """Return every candidate's score at a moment.

        Each is `Scored.score` of the same moment, to the last bit.
        """
        sums, weight = self._loaded(moment.in_flight), self.weight or 1.0
        for scorer, share in self.moving:
            opinion = scorer.score(self.candidates, moment)
            sums = [
                total + score * share
                for total, score in zip(sums, opinion, strict=True)
            ]
        return [total / weight for total in sums]

    def candidate(self, place: int, moment: Moment) -> Candidate:
        """Return one candidate as it is now."""
        return _now(self.candidates[place], moment)

    def scored(self, moment: Moment) -> list[Scored]:
        """Return every candidate with all that is said about it now."""
        opinions = [
            (scorer.name, weight, scorer.score(self.candidates, moment))
            for scorer, weight in self.moving
        ]
        return [
            _scored(
                _now(entry.candidate, moment),
                entry,
                self.live,
                [
                    WeightedScore(name, scores[place], weight)
                    for name, weight, scores in opinions
                ],
            )
            for place, entry in enumerate(self.entries)
        ]

    def refused_now(self, moment: Moment) -> list[Scored]:
        """Return every candidate that a filter removed, as it is now."""
        return [
            replace(one, candidate=_now(one.candidate, moment)) for one in self.refused
        ]

    def _loaded(self, in_flight: Mapping[str, int]) -> list[float]:
        """Return every candidate's weighted sum of what does not ask for the moment."""
        sums, known = list(self.idle_sums), self._known
        if not self.live:
            return sums
        for node, requests in in_flight.items():
            for place in self.places.get(node, ()):
                total = known.get((place, requests))
                if total is None:
                    total = self._remembered(place, requests)
                sums[place] = total
        return sums

    def _remembered(self, place: int, requests: int) -> float:
        """Return a candidate's sum under a load, and keep it for the next time."""
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        total = _sum(self.entries[place], requests, self.live)
        self._known[place, requests] = total
        return total


def slate_of(
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    *,
    filters: Sequence[Filter],
    scorers: Sequence[tuple[AnyScorer, float]],
) -> Slate:
    """Return the slate of a query; opinions that move come after those that do not."""
    ordered = sorted(candidates, key=lambda one: one.site)
    names = [_rejection(filters, one, query) for one in ordered]
    verdicts = list(zip(ordered, names, strict=True))
    admitted = [one for one, name in verdicts if not name]
    still = [(one, share) for one, share in scorers if isinstance(one, Scorer)]
    entries = _entries(admitted, query, priors, still)
    live = tuple(
        LiveOpinion(scorer.name, scorer.live, weight)
        for scorer, weight in still
        if scorer.live is not None
    )
    moving = tuple(
        (one, share) for one, share in scorers if isinstance(one, MovingScorer)
    )
    settled_weights = [weight for scorer, weight in still if scorer.live is None]
    weights = [*settled_weights, *(one.weight for one in live)]
    return Slate(
        entries=entries,
        candidates=tuple(admitted),
        sites=tuple(one.site for one in admitted),
        kinds=_kinds(admitted),
        refused=tuple(Scored(one, rejected_by=name) for one, name in verdicts if name),
        live=live,
        moving=moving,
        weight=added([*weights, *(share for _, share in moving)]),
        idle_sums=tuple(_sum(entry, 0, live) for entry in entries),
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


def _kinds(candidates: Sequence[Candidate]) -> tuple[int, ...]:
    kinds: dict[object, int] = {}
    return tuple(
        kinds.setdefault(
            (one.model, one.region, one.tier, one.tariff, one.carbon_intensity),
            len(kinds),
        )
        for one in candidates
    )


def _places(entries: Sequence[Entry]) -> Mapping[str, tuple[int, ...]]:
    places: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for place, entry in enumerate(entries):
        places[entry.candidate.node] += (place,)
    return dict(places)


def _sum(entry: Entry, requests: int, live: Sequence[LiveOpinion]) -> float:
    total, slots = entry.settled_sum, entry.candidate.slots
    for one in live:
        total += one.live(requests, slots) * one.weight
    return total


def _scored(
    candidate: Candidate,
    entry: Entry,
    live: Sequence[LiveOpinion],
    moving: Iterable[WeightedScore],
) -> Scored:
    loaded = (
        WeightedScore(
            scorer=one.scorer,
            score=one.live(candidate.in_flight, candidate.slots),
            weight=one.weight,
        )
        for one in live
    )
    return Scored(candidate, (*entry.settled, *loaded, *moving))


def _now(candidate: Candidate, moment: Moment) -> Candidate:
    requests = moment.in_flight.get(candidate.node, 0)
    if requests == candidate.in_flight:
        return candidate
    return replace(candidate, in_flight=requests)
