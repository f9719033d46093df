"""What a decision is about: the pairs of node and model, and the request's features.

Only public features of a request exist here: private records never influence a route.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from federated_router.priors.contents import STANDARD_TIER
from federated_router.registry.membership import (
    AUTO,
    Membership,
    NodeState,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that serves a model, and this router's own count of its load."""

    node: str
    address: str
    model: str
    region: str
    state: NodeState
    private: bool
    context_tokens_max: int
    slots: int
    in_flight: int
    tier: str = STANDARD_TIER


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """The public features that a decision may rest on.

    `excluded` are nodes that already failed this request.
    """

    model: str
    private: bool = False
    excluded: frozenset[str] = field(default_factory=frozenset)


def candidates_of(
    membership: Membership, query: RouteQuery, in_flight: Mapping[str, int]
) -> Iterator[Candidate]:
    """Yield every pair of node and model that the query's model admits, by name."""
    for member in membership:
        for offer in sorted(member.offers, key=lambda offer: offer.model):
            if query.model not in (AUTO, offer.model):
                continue
            yield Candidate(
                node=member.name,
                address=member.address,
                model=offer.model,
                region=member.region,
                state=member.state,
                private=offer.private,
                context_tokens_max=offer.context_tokens_max,
                slots=offer.slots,
                in_flight=in_flight.get(member.name, 0),
                tier=offer.tier,
            )
