"""A strategy is a profile: filters, weighted scorers, a picker. Pure.

A placement picks from a slate; its decision explains that same pick with its reasons,
so the explanation can never differ from the choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from federated_router.choice.choosing import ModelChoice
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.decision import Decision, Scored
from federated_router.routing.filters import (
    ANOTHER_MODEL,
    DEFAULT_FILTERS,
    QUEUE_BELOW_LIMIT,
    Filter,
)
from federated_router.routing.moment import Moment
from federated_router.routing.pickers import BEST, Picker
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.slate import AnyScorer, Slate, slate_of, verdicts_of


@dataclass(frozen=True, slots=True)
class Profile:
    """A named strategy.

    `queue_bounded` passes over nodes whose queue is at its limit; `batched` strategies
    place requests that come together at once.
    """

    name: str
    scorers: tuple[tuple[AnyScorer, float], ...]
    picker: Picker = BEST
    filters: tuple[Filter, ...] = DEFAULT_FILTERS
    description: str = ""
    queue_bounded: bool = True
    batched: bool = False

    @property
    def filter_names(self) -> tuple[str, ...]:
        """Return the names of all filters, in order."""
        names = tuple(one.name for one in self.filters)
        return (*names, QUEUE_BELOW_LIMIT) if self.queue_bounded else names

    def slate(
        self, candidates: Sequence[Candidate], query: RouteQuery, priors: PriorsView
    ) -> Slate:
        """Return what stays of a decision for `query` while only load changes."""
        verdicts = verdicts_of(candidates, query, self.filters)
        return slate_of(verdicts, query, priors, self.scorers)

    def full(self, slate: Slate, moment: Moment) -> dict[int, str]:
        """Return the places of nodes whose queue is at its limit."""
        if not self.queue_bounded:
            return {}
        running = moment.running(slate.candidates)
        full = running >= slate.candidates.limits(moment.queue_factor)
        if not np.count_nonzero(full):  # Much faster than `any` for a few.
            return {}
        return dict.fromkeys(np.flatnonzero(full).tolist(), QUEUE_BELOW_LIMIT)


@dataclass(frozen=True, slots=True)
class Placement:
    """One decision at one moment: the slate, and the places that are closed now.

    `closed` says which filter closed a place; `others` are candidates of models that
    were not chosen, with `model_choice` as the reason.
    """

    profile: Profile
    slate: Slate
    moment: Moment
    closed: Mapping[int, str] = field(default_factory=dict)
    model_choice: ModelChoice | None = None
    others: tuple[Candidate, ...] = ()

    @property
    def places(self) -> Sequence[int]:
        """Return the places that are open."""
        every = range(len(self.slate.candidates))
        if not self.closed:
            return every
        return [place for place in every if place not in self.closed]

    def chosen(self) -> Candidate | None:
        """Return who is chosen; None where no place is open."""
        picked = self._picked(self.places)
        return None if picked is None else self.slate.candidate(picked, self.moment)

    def take(self) -> Candidate | None:
        """Return who is chosen, and take note that the choice was taken."""
        places = self.places
        picked = self._picked(places)
        if picked is None:
            return None
        self.profile.picker.took(self.slate, self.moment, places, picked)
        return self.slate.candidate(picked, self.moment)

    def _picked(self, places: Sequence[int]) -> int | None:
        if len(places) < 2:  # noqa: PLR2004 - nobody to compare with.
            return places[0] if places else None
        return self.profile.picker.pick(self.slate, self.moment, places)

    def decision(self, *, priors_revision: int) -> Decision:
        """Return that same choice with everything it rests on."""
        scored = self.slate.scored(self.moment)
        left = [one for place, one in enumerate(scored) if place not in self.closed]
        shut = [
            replace(scored[place], scores=(), rejected_by=name)
            for place, name in sorted(self.closed.items())
        ]
        passed_over = [Scored(one, rejected_by=ANOTHER_MODEL) for one in self.others]
        return Decision(
            strategy=self.profile.name,
            priors_revision=priors_revision,
            candidates=(
                *sorted(left, key=lambda one: -one.score),
                *shut,
                *self.slate.refused_now(self.moment),
                *passed_over,
            ),
            chosen=self.chosen(),
            model_choice=self.model_choice,
        )


def decide(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery,
    priors: PriorsView,
    moment: Moment,
) -> Decision:
    """Return the decision for `query` as one that remembers nothing would make it."""
    slate = profile.slate(candidates, query, priors)
    placement = Placement(profile, slate, moment, profile.full(slate, moment))
    return placement.decision(priors_revision=priors.revision)
