"""A scene: all that decisions rest on and that many requests share. Pure.

Whatever changes makes a new scene, so that nothing remembered can outlive what it rests
on: other priors, strategy or trust begin with nothing; where nodes or breakers changed,
what is remembered of the others is kept. Refuses to know the clock, and who counts
requests.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from federated_router.choice.choosing import ModelChoice, ModelChooser
from federated_router.registry.membership import AUTO, Member, Membership
from federated_router.routing.candidate import (
    NO_FACTS,
    NodeFacts,
    RouteQuery,
    Site,
    asked_for,
    candidates_at,
)
from federated_router.routing.changes import NO_CHANGES, Changes
from federated_router.routing.expectations import (
    broken_wishes,
    limits_nodes,
    takings_of,
)
from federated_router.routing.filters import ANOTHER_MODEL
from federated_router.routing.model_options import options_of
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.slate import (
    Slate,
    Verdict,
    slate_of,
    verdicts_after,
    verdicts_of,
)

Key = TypeVar("Key", bound=Hashable)
Known = TypeVar("Known")
_Models = tuple[str, frozenset[str]]
"""The models that a query admits: the one that it names, and those of its wishes."""

SLATES_MAX: Final = 256
"""How many queries are remembered; a query that was retried is one of its own."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Nodes, what is known of them, and the strategy.

    A prompt whose estimate exceeds every context by no more than `context_slack` times
    is offered to the largest: an estimate may be wrong, and the node counts exactly.
    What is remembered stands beside the number of changes that it knows of.
    """

    profile: Profile
    membership: Membership = field(default_factory=Membership)
    priors: PriorsView = field(default_factory=PriorsView)
    facts: NodeFacts = NO_FACTS
    blocked: frozenset[Site] = frozenset()
    chooser: ModelChooser | None = None
    context_slack: float = 1.0
    changes: Changes = NO_CHANGES
    slates: dict[RouteQuery, tuple[int, Slate]] = field(default_factory=dict)
    contexts: dict[_Models, tuple[int, tuple[int, ...]]] = field(default_factory=dict)

    def anew(
        self,
        *,
        priors: PriorsView | None = None,
        facts: NodeFacts | None = None,
    ) -> "Scene":
        """Return the scene with other beliefs, remembering nothing."""
        return replace(
            self,
            priors=self.priors if priors is None else priors,
            facts=self.facts if facts is None else facts,
            slates={},
            contexts={},
        )

    def place(self, query: RouteQuery, moment: Moment, *, explore: bool) -> Placement:
        """Return the placement of a request at a moment."""
        query = self._fitted(query)
        placement = self._placement(query, moment)
        if query.model != AUTO or self.chooser is None:
            return self._wished(placement, query)
        return self._model_chosen(self.chooser, placement, query, explore=explore)

    def serves(self, query: RouteQuery) -> bool:
        """Return whether anybody present serves the query's model, if barred now."""
        return bool(self._contexts(query))

    def _placement(self, query: RouteQuery, moment: Moment) -> Placement:
        slate = self._slate(query)
        return Placement(self.profile, slate, moment, self.profile.full(slate, moment))

    def _model_chosen(
        self,
        chooser: ModelChooser,
        every: Placement,
        query: RouteQuery,
        *,
        explore: bool,
    ) -> Placement:
        """Return the placement among the nodes of the model chosen for the prompt.

        Where none of its nodes meets every wish, of the next best that may be asked.
        """
        shape = every.moment.shape
        options = options_of(
            every.slate, every.places, every.moment, self.priors, private=query.private
        )
        if not options:
            return self._wished(every, query)
        choice = chooser.choose(
            shape.prompt, options, shape.wishes, explore=explore, tenant=shape.tenant
        )
        found = _ruled_out(every, choice)
        for model in _in_order(choice):
            found = self._of_model(every, query, model, choice)
            if found.places:
                return found
        return found

    def _of_model(
        self, every: Placement, query: RouteQuery, model: str, choice: ModelChoice
    ) -> Placement:
        own = replace(query, model=model, models=frozenset())
        placement = self._wished(self._placement(own, every.moment), own)
        # What was chosen first stays told: its nodes may have been the ones to fail.
        return replace(
            placement,
            model_choice=replace(choice, chosen=model),
            others=tuple(one for one in every.slate.candidates if one.model != model),
        )

    def _wished(self, placement: Placement, query: RouteQuery) -> Placement:
        """Return the placement without the nodes that break a wish."""
        wishes, moment = placement.moment.shape.wishes, placement.moment
        if not limits_nodes(wishes):
            return placement
        takings = takings_of(
            placement.slate.candidates, moment, self.priors, private=query.private
        )
        closed = dict(placement.closed)
        for wish, places in broken_wishes(takings, wishes):
            for place in places.tolist():
                closed.setdefault(place, wish)
        return replace(placement, closed=closed)

    def _fitted(self, query: RouteQuery) -> RouteQuery:
        """Return the query with its context rounded up to one that is offered."""
        wanted = query.context_tokens
        if not wanted:
            return query
        offered = self._contexts(query)
        fitting = next((one for one in offered if one >= wanted), None)
        if fitting is None and offered and wanted <= offered[-1] * self.context_slack:
            fitting = offered[-1]
        return query if fitting is None else replace(query, context_tokens=fitting)

    def _contexts(self, query: RouteQuery) -> tuple[int, ...]:
        """Return the contexts offered for the query's models, the smallest first."""
        asked = query.model, query.models
        known = self.contexts.get(asked)
        if known is None or known[0] != self.changes.number:
            offered = {
                offer.context_tokens_max
                for member in self.membership.members.values()
                for offer in member.offers
                if asked_for(query, offer.model)
            }
            known = self.changes.number, tuple(sorted(offered))
            self._remember(self.contexts, asked, known)
        return known[1]

    def _slate(self, query: RouteQuery) -> Slate:
        known = self.slates.get(query)
        if known is not None and known[0] == self.changes.number:
            return known[1]
        nodes = None if known is None else self.changes.since(known[0])
        if known is None or nodes is None:
            verdicts = self._verdicts(query, self.membership.members.values())
        else:
            members = self.membership.members
            fresh = self._verdicts(
                query, [members[one] for one in nodes & set(members)]
            )
            verdicts = verdicts_after(known[1].verdicts, nodes, fresh)
        slate = slate_of(verdicts, query, self.priors, self.profile.scorers)
        self._remember(self.slates, query, (self.changes.number, slate))
        return slate

    def _verdicts(
        self, query: RouteQuery, members: Iterable[Member]
    ) -> tuple[Verdict, ...]:
        candidates = (
            one
            for member in members
            for one in candidates_at(member, query, {}, self.facts, self.blocked)
        )
        return verdicts_of(candidates, query, self.profile.filters)

    @staticmethod
    def _remember(known: dict[Key, Known], key: Key, one: Known) -> None:
        if key not in known and len(known) >= SLATES_MAX:
            known.clear()
        known[key] = one


def _ruled_out(every: Placement, choice: ModelChoice) -> Placement:
    """Return a placement with every place closed by what rules its model out."""
    reasons = {one.option.model: one.rejected_by for one in choice.expectations}
    closed = {
        place: reasons.get(every.slate.candidates[place].model) or ANOTHER_MODEL
        for place in every.places
    }
    return replace(every, closed={**every.closed, **closed}, model_choice=choice)


def _in_order(choice: ModelChoice) -> list[str]:
    """Return the models that may be asked, the chosen one first."""
    if choice.chosen is None:
        return []
    others = [
        one.option.model
        for one in choice.expectations
        if not one.rejected_by and one.option.model != choice.chosen
    ]
    return [choice.chosen, *others]
