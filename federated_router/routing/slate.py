"""A slate: what of a decision stays the same until nodes, priors or strategy change.

Most of a decision does not depend on the moment: who may serve a query, and what the
priors say of each. A slate holds that once, as arrays, so that a live decision only
weighs what moves: the requests in flight, and the opinions that are of one request at
one moment. Where a few nodes change, a slate is made from the one before, and only they
are filtered anew. Pure.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from federated_router.routing.candidate import Candidate, RouteQuery, Site
from federated_router.routing.columns import Floats, Rows
from federated_router.routing.decision import Scored, WeightedScore, added
from federated_router.routing.filters import Filter
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import MovingScorer
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.roster import Roster
from federated_router.routing.scorers import Live, Scorer

AnyScorer = Scorer | MovingScorer
Verdict = tuple[Site, Candidate, str]
"""A candidate, by site, and the filter that removed it; empty where none did."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a scorer says of each candidate, and its weight."""

    scorer: str
    scores: Floats
    weight: float


@dataclass(frozen=True, slots=True)
class LiveOpinion:
    """A scorer whose opinion moves with the requests in flight."""

    scorer: str
    live: Live
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Slate:
    """The candidates that a query may be given, in order of node and model.

    `verdicts` are of all candidates, in the same order. `settled` opinions do not move;
    `settled_sum` is their weighted sum, `every` the places of all. `moving` opinions
    are asked for at every decision; `weight` is the sum of all scorers' weights.
    """

    verdicts: tuple[Verdict, ...]
    candidates: Roster
    settled: tuple[Opinion, ...]
    settled_sum: Floats
    live: tuple[LiveOpinion, ...]
    moving: tuple[tuple[MovingScorer, float], ...]
    weight: float
    every: Rows

    @property
    def refused(self) -> tuple[Scored, ...]:
        """Return every candidate that a filter removed."""
        return tuple(
            Scored(one, rejected_by=name) for _, one, name in self.verdicts if name
        )

    def rows(self, places: Sequence[int]) -> Rows:
        """Return places as an array."""
        if len(places) == len(self.candidates):
            return self.every
        return np.asarray(places, dtype=np.intp)

    def scores(self, moment: Moment) -> Floats:
        """Return every candidate's score at a moment.

        Each is `Scored.score` of the same moment, to the last bit.
        """
        sums, roster = self.settled_sum, self.candidates
        for one in self.live:
            sums = sums + one.live(moment.running(roster), roster.slots) * one.weight
        for scorer, share in self.moving:
            sums = sums + scorer.judge(roster, moment) * share
        return sums / (self.weight or 1.0)

    def candidate(self, place: int, moment: Moment) -> Candidate:
        """Return one candidate as it is now."""
        return _now(self.candidates[place], moment)

    def scored(self, moment: Moment) -> list[Scored]:
        """Return every candidate with all that is said about it now."""
        opinions = [*self.settled, *self._loaded(moment)]
        for scorer, weight in self.moving:
            judged = scorer.judge(self.candidates, moment)
            opinions.append(Opinion(scorer.name, judged, weight))
        return [
            Scored(
                _now(candidate, moment),
                tuple(
                    WeightedScore(one.scorer, float(one.scores[place]), one.weight)
                    for one in opinions
                ),
            )
            for place, candidate in enumerate(self.candidates)
        ]

    def refused_now(self, moment: Moment) -> list[Scored]:
        """Return every candidate that a filter removed, as it is now."""
        return [
            replace(one, candidate=_now(one.candidate, moment)) for one in self.refused
        ]

    def _loaded(self, moment: Moment) -> list[Opinion]:
        """Return the opinions that move with the requests in flight alone."""
        if not self.live:
            return []
        running, slots = moment.running(self.candidates), self.candidates.slots
        return [
            Opinion(one.scorer, one.live(running, slots), one.weight)
            for one in self.live
        ]


def verdicts_of(
    candidates: Iterable[Candidate], query: RouteQuery, filters: Sequence[Filter]
) -> tuple[Verdict, ...]:
    """Return what filters say of each candidate, by site."""
    verdicts = [(one.site, one, _rejection(filters, one, query)) for one in candidates]
    return tuple(sorted(verdicts, key=itemgetter(0)))


def verdicts_after(
    verdicts: Sequence[Verdict], nodes: Collection[str], fresh: Iterable[Verdict]
) -> tuple[Verdict, ...]:
    """Return the verdicts with fresh ones in place of all that some nodes had."""
    kept = [one for one in verdicts if one[0][0] not in nodes]
    for one in fresh:
        insort(kept, one, key=itemgetter(0))
    return tuple(kept)


def slate_of(
    verdicts: tuple[Verdict, ...],
    query: RouteQuery,
    priors: PriorsView,
    scorers: Sequence[tuple[AnyScorer, float]],
) -> Slate:
    """Return the slate of a query; opinions that move come after those that do not."""
    candidates = Roster([one for _, one, name in verdicts if not name])
    still = [(one, share) for one, share in scorers if isinstance(one, Scorer)]
    moving = [(one, share) for one, share in scorers if isinstance(one, MovingScorer)]
    settled = tuple(
        Opinion(one.name, np.array(one.score(candidates, query, priors)), weight)
        for one, weight in still
        if one.live is None
    )
    live = tuple(
        LiveOpinion(one.name, one.live, weight)
        for one, weight in still
        if one.live is not None
    )
    weights = [one.weight for one in settled] + [one.weight for one in live]
    return Slate(
        verdicts=verdicts,
        candidates=candidates,
        settled=settled,
        settled_sum=_sum(settled, len(candidates)),
        live=live,
        moving=tuple(moving),
        weight=added([*weights, *(share for _, share in moving)]),
        every=np.arange(len(candidates)),
    )


def _rejection(
    filters: Sequence[Filter], candidate: Candidate, query: RouteQuery
) -> str:
    for one in filters:
        if not one.admits(candidate, query):
            return one.name
    return ""


def _sum(settled: Sequence[Opinion], count: int) -> Floats:
    total: Floats = np.zeros(count)
    for one in settled:
        total = total + one.scores * one.weight
    return total


def _now(candidate: Candidate, moment: Moment) -> Candidate:
    requests = moment.in_flight.get(candidate.node, 0)
    if requests == candidate.in_flight:
        return candidate
    return replace(candidate, in_flight=requests)
