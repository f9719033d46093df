"""A scene: all that decisions rest on and that many requests share. Pure.

Whatever changes, nodes, priors, strategy, trust or a breaker, makes a new scene, so
that nothing remembered can outlive what it rests on. Refuses to know the clock, and who
counts requests.
"""

from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from federated_router.choice.choosing import ModelChoice, ModelChooser
from federated_router.registry.membership import AUTO, Membership
from federated_router.routing.candidate import (
    NO_FACTS,
    NodeFacts,
    RouteQuery,
    Site,
    candidates_of,
)
from federated_router.routing.expectations import (
    Takings,
    broken_wish,
    limits_nodes,
)
from federated_router.routing.filters import ANOTHER_MODEL
from federated_router.routing.model_options import options_of
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.slate import Slate

Known = TypeVar("Known")
SLATES_MAX: Final = 256
"""How many queries are remembered; a query that was retried is one of its own."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Nodes, what is known of them, and the strategy.

    A prompt whose estimate exceeds every context by no more than `context_slack` times
    is offered to the largest: an estimate may be wrong, and the node counts exactly.
    """

    profile: Profile
    membership: Membership = field(default_factory=Membership)
    priors: PriorsView = field(default_factory=PriorsView)
    facts: NodeFacts = NO_FACTS
    blocked: frozenset[Site] = frozenset()
    chooser: ModelChooser | None = None
    context_slack: float = 1.0
    slates: dict[RouteQuery, Slate] = field(default_factory=dict)
    contexts: dict[RouteQuery, tuple[int, ...]] = field(default_factory=dict)

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
        choice = chooser.choose(shape.prompt, options, shape.wishes, explore=explore)
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
        closed = dict(placement.closed)
        takings = Takings(moment, self.priors, private=query.private)
        slate = placement.slate
        for place in placement.places:
            taking = takings.of(
                slate.candidates[place], slate.sites[place], slate.kinds[place]
            )
            wish = broken_wish(taking, wishes)
            if wish:
                closed[place] = wish
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
        asked = RouteQuery(query.model, models=query.models)
        known = self.contexts.get(asked)
        if known is None:
            candidates = candidates_of(self.membership, asked, {})
            known = tuple(sorted({one.context_tokens_max for one in candidates}))
            self._remember(self.contexts, asked, known)
        return known

    def _slate(self, query: RouteQuery) -> Slate:
        slate = self.slates.get(query)
        if slate is None:
            candidates = candidates_of(
                self.membership, query, {}, self.facts, self.blocked
            )
            slate = self.profile.slate(list(candidates), query, self.priors)
            self._remember(self.slates, query, slate)
        return slate

    @staticmethod
    def _remember(
        known: dict[RouteQuery, Known], query: RouteQuery, one: Known
    ) -> None:
        if len(known) >= SLATES_MAX:
            known.clear()
        known[query] = one


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
