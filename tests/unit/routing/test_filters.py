"""Filters remove what must not be chosen, whatever it scores."""

import pytest

from federated_router.registry.membership import (
    AUTO,
    Member,
    Membership,
    NodeState,
    Offer,
)
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.filters import (
    DEFAULT_FILTERS,
    NOT_DRAINING,
    NOT_EXCLUDED,
    OFFERS_PRIVATE,
    Filter,
)
from tests.support.candidates import candidates_of


def candidate(*, state: NodeState = NodeState.READY, private: bool = True) -> Candidate:
    """Return a candidate."""
    return Candidate(
        node="nodes/n1",
        address="a:1",
        model="models/m",
        region="north",
        state=state,
        private=private,
        context_tokens_max=128,
        slots=2,
        in_flight=0,
    )


def query(
    *, private: bool = False, excluded: frozenset[str] = frozenset()
) -> RouteQuery:
    """Return a query for the candidate's model."""
    return RouteQuery("models/m", private=private, excluded=excluded)


@pytest.mark.parametrize(
    ("one", "who", "asked", "admitted"),
    [
        (NOT_DRAINING, candidate(), query(), True),
        (NOT_DRAINING, candidate(state=NodeState.DRAINING), query(), False),
        (NOT_EXCLUDED, candidate(), query(excluded=frozenset({"nodes/n2"})), True),
        (NOT_EXCLUDED, candidate(), query(excluded=frozenset({"nodes/n1"})), False),
        (OFFERS_PRIVATE, candidate(private=False), query(), True),
        (OFFERS_PRIVATE, candidate(private=False), query(private=True), False),
        (OFFERS_PRIVATE, candidate(), query(private=True), True),
    ],
)
def test_filter_admits_exactly_what_it_says(
    one: Filter,
    who: Candidate,
    asked: RouteQuery,
    admitted: bool,  # noqa: FBT001 - the expected answer.
) -> None:
    """Each filter is one condition."""
    assert one.admits(who, asked) is admitted


def test_filters_have_names_of_their_own() -> None:
    """The name is the explanation that people read."""
    names = [one.name for one in DEFAULT_FILTERS]

    assert len(names) == len(set(names)) == 7


def member(name: str, *models: str) -> Member:
    """Return a node that serves these models."""
    return Member(
        name=name,
        address="a:1",
        region="north",
        offers=tuple(Offer(one, 128, private=False, slots=2) for one in models),
        lease_id="l",
        lease_expires_s=9.0,
    )


@pytest.mark.parametrize(
    ("model", "pairs"),
    [
        ("models/a", [("nodes/1", "models/a"), ("nodes/2", "models/a")]),
        ("models/b", [("nodes/1", "models/b")]),
        (
            AUTO,
            [
                ("nodes/1", "models/a"),
                ("nodes/1", "models/b"),
                ("nodes/2", "models/a"),
            ],
        ),
        ("models/c", []),
    ],
)
def test_candidates_are_the_pairs_that_the_model_admits(
    model: str, pairs: list[tuple[str, str]]
) -> None:
    """A named model is taken at its word; `auto` takes all, by name."""
    membership = Membership()
    for one in (
        member("nodes/2", "models/a"),
        member("nodes/1", "models/b", "models/a"),
    ):
        membership = membership.registered(one, members_max=9)

    found = candidates_of(membership, RouteQuery(model), {"nodes/2": 4})

    seen = [(one.node, one.model, one.in_flight) for one in found]
    assert seen == [(node, one, 4 * (node == "nodes/2")) for node, one in pairs]
