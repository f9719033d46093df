"""Chooses for live requests: counts what is in flight, holds strategy and priors.

A request is counted before it is dispatched and uncounted when it ends, whatever the
end; load that nodes report is shown to people and never steers.
"""

from collections import Counter
from dataclasses import dataclass

from pydantic import Field

from federated_router.kit.config import Settings
from federated_router.kit.errors import (
    FieldInvalid,
    ModelUnknown,
    NoNodeAvailable,
    PrivateNotOffered,
)
from federated_router.registry.membership import AUTO, Membership, NodeState, Offer
from federated_router.registry.registry import Registry
from federated_router.routing.candidate import Candidate, RouteQuery, candidates_of
from federated_router.routing.decision import Decision
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import STRATEGIES, Profile
from federated_router.routing.slate import Slate

Offered = tuple[str, str, str, tuple[Offer, ...], NodeState]
SLATES_MAX = 256
"""How many queries are remembered; a query that was retried is one of its own."""


class RoutingSettings(Settings):
    """The strategy at start, and how priors are remembered.

    `priors_kept_max` revisions are kept to go back to; what a round counted weighs half
    after `priors_half_life_s`.
    """

    strategy: str = "federated_priors"
    priors_kept_max: int = Field(default=8, ge=1, le=64)
    priors_half_life_s: float = Field(default=7 * 86_400.0, gt=0)


class Router:
    """The live state of routing in one process.

    Slates are remembered until nodes, priors or strategy change.
    """

    def __init__(self, settings: RoutingSettings, registry: Registry) -> None:
        self._registry = registry
        self._in_flight: Counter[str] = Counter()
        self._turn = 0
        self._slates: dict[RouteQuery, Slate] = {}
        self._membership = Membership()
        self._offers: list[Offered] = []
        self._priors = PriorsView()
        self._profile = _profile(settings.strategy)

    @property
    def strategy(self) -> str:
        """Return the name of the strategy in force."""
        return self._profile.name

    def set_strategy(self, name: str) -> None:
        """Use another strategy from the next decision on; raise FieldInvalid."""
        self._profile = _profile(name)
        self._slates.clear()

    @property
    def priors(self) -> PriorsView:
        """Return what is believed of the federation."""
        return self._priors

    def believe(self, priors: PriorsView) -> None:
        """Decide by these priors from the next decision on."""
        self._priors = priors
        self._slates.clear()

    def in_flight(self, node: str) -> int:
        """Return how many requests of this router run at a node."""
        return self._in_flight[node]

    def explain(self, query: RouteQuery) -> Decision:
        """Return the decision that `query` would get now; raise ModelUnknown."""
        return self._profile.explain(
            self._slate(query),
            self._in_flight,
            self._turn,
            priors_revision=self._priors.revision,
        )

    def choose(self, query: RouteQuery) -> Candidate:
        """Return where `query` goes.

        Raises:
            ModelUnknown: nobody present serves the model.
            NoNodeAvailable: those who do are draining or have failed this request.
            PrivateNotOffered: none of them decodes privately.
        """
        slate = self._slate(query)
        turn, self._turn = self._turn, self._turn + 1
        chosen = self._profile.choose(slate, self._in_flight, turn)
        if chosen is not None:
            return chosen
        if {one.rejected_by for one in slate.refused} == {"offers_private"}:
            raise PrivateNotOffered(
                "No node that serves this model offers private decoding.",
                metadata={"model": query.model},
            )
        raise NoNodeAvailable(
            "Every node that serves this model is draining or has just failed.",
            metadata={"model": query.model},
            retry_after_s=1.0,
        )

    def counted(self, candidate: Candidate) -> "Counted":
        """Count a request at a node from before its dispatch to its end."""
        return Counted(self._in_flight, candidate.node)

    def _slate(self, query: RouteQuery) -> Slate:
        """Return the query's slate for the nodes present; raise ModelUnknown."""
        present = self._registry.present()
        if present is not self._membership:
            self._membership = present
            offers = _offers(present)
            if offers != self._offers:
                self._offers = offers
                self._slates.clear()
        slate = self._slates.get(query)
        if slate is None:
            slate = self._new_slate(query)
        return slate

    def _new_slate(self, query: RouteQuery) -> Slate:
        candidates = list(candidates_of(self._membership, query, {}))
        if not candidates:
            self._raise_unknown(query)
        if len(self._slates) >= SLATES_MAX:
            self._slates.clear()
        slate = self._profile.slate(candidates, query, self._priors)
        self._slates[query] = slate
        return slate

    def _raise_unknown(self, query: RouteQuery) -> None:
        if query.model == AUTO or not self._membership.members:
            raise NoNodeAvailable("No node is registered yet.", retry_after_s=1.0)
        raise ModelUnknown(
            f"No node serves '{query.model}'; ListModels shows what there is.",
            metadata={"model": query.model},
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """One request at a node, in flight while inside; nodes without any are left out."""

    in_flight: Counter[str]
    node: str

    def __enter__(self) -> None:
        self.in_flight[self.node] += 1

    def __exit__(self, *_: object) -> None:
        self.in_flight[self.node] -= 1
        if not self.in_flight[self.node]:
            del self.in_flight[self.node]


def _profile(name: str) -> Profile:
    if name not in STRATEGIES:
        raise FieldInvalid(
            f"No strategy '{name}'; there are: {', '.join(sorted(STRATEGIES))}.",
            field="strategy",
        )
    return STRATEGIES[name]


def _offers(membership: Membership) -> list[Offered]:
    """Return what routing knows of the nodes; renewed leases change none of it."""
    return [
        (member.name, member.address, member.region, member.offers, member.state)
        for member in membership.members.values()
    ]
