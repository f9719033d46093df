"""A strategy is a profile: filters, weighted scorers, a picker. Pure.

`choose` picks from a slate; `decide` explains that same pick with its reasons, so the
explanation can never differ from the choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.decision import Decision
from federated_router.routing.filters import DEFAULT_FILTERS, Filter
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.scorers import (
    FREE_SLOTS,
    PRIOR_SPEED,
    PRIOR_SUCCESS,
    Scorer,
)
from federated_router.routing.slate import InFlight, Slate, slate_of

Picker = Callable[[Slate, InFlight, int], int]
"""Picks a place on a slate that is not empty; the last argument is the turn."""


def best(slate: Slate, in_flight: InFlight, _: int) -> int:
    """Pick the best score; among equals the least busy, then the first by name."""
    scores = slate.scores(in_flight)
    top = max(scores)
    first = scores.index(top)
    if slate.entries[first].candidate.node not in in_flight:
        return first
    equals = (place for place, score in enumerate(scores) if score == top)
    return min(
        equals,
        key=lambda place: in_flight.get(slate.entries[place].candidate.node, 0),
    )


def in_turn(slate: Slate, _: InFlight, turn: int) -> int:
    """Pick one after the other by name, whatever they score."""
    return turn % len(slate.entries)


@dataclass(frozen=True, slots=True)
class Profile:
    """A named strategy."""

    name: str
    scorers: tuple[tuple[Scorer, float], ...]
    picker: Picker = best
    filters: tuple[Filter, ...] = DEFAULT_FILTERS

    def slate(
        self, candidates: Sequence[Candidate], query: RouteQuery, priors: PriorsView
    ) -> Slate:
        """Return what stays of a decision for `query` while only load changes."""
        return slate_of(
            candidates, query, priors, filters=self.filters, scorers=self.scorers
        )

    def choose(self, slate: Slate, in_flight: InFlight, turn: int) -> Candidate | None:
        """Return who is chosen; `turn` counts the decisions before it."""
        if not slate.entries:
            return None
        return slate.candidate(self.picker(slate, in_flight, turn), in_flight)

    def explain(
        self, slate: Slate, in_flight: InFlight, turn: int, *, priors_revision: int
    ) -> Decision:
        """Return that same choice with everything it rests on."""
        ranked = sorted(slate.scored(in_flight), key=lambda one: -one.score)
        return Decision(
            strategy=self.name,
            priors_revision=priors_revision,
            candidates=(*ranked, *slate.refused_now(in_flight)),
            chosen=self.choose(slate, in_flight, turn),
        )


def decide(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    turn: int,
) -> Decision:
    """Return the decision for `query`; `turn` counts the decisions before it."""
    in_flight = {one.node: one.in_flight for one in candidates if one.in_flight}
    slate = profile.slate(candidates, query, priors)
    return profile.explain(slate, in_flight, turn, priors_revision=priors.revision)


STRATEGIES = {
    profile.name: profile
    for profile in (
        Profile("least_connections", ((FREE_SLOTS, 1.0),)),
        Profile("round_robin", ((FREE_SLOTS, 1.0),), picker=in_turn),
        Profile(
            "federated_priors",
            ((FREE_SLOTS, 1.0), (PRIOR_SUCCESS, 2.0), (PRIOR_SPEED, 2.0)),
        ),
    )
}
