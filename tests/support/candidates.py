"""All candidates of a membership: what a router works out node by node."""

from collections.abc import Collection, Iterator, Mapping

from federated_router.registry.membership import Membership
from federated_router.routing.candidate import (
    NO_FACTS,
    Candidate,
    NodeFacts,
    RouteQuery,
    Site,
    candidates_at,
)


def candidates_of(
    membership: Membership,
    query: RouteQuery,
    in_flight: Mapping[str, int],
    facts: NodeFacts = NO_FACTS,
    blocked: Collection[Site] = (),
) -> Iterator[Candidate]:
    """Yield every pair of node and model that the query's model admits, by name."""
    for member in membership:
        yield from candidates_at(member, query, in_flight, facts, blocked)
