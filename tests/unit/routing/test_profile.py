"""A decision explains itself: the choice, its reasons, and the live way, are one."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.decision import Scored
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.strategies import STRATEGIES
from tests.unit.routing.placing import MODEL, QUERY, at, candidate, decided

LEAST, ROUND, PRIORS = (
    STRATEGIES[name]
    for name in ("least_connections", "round_robin", "federated_priors")
)


def belief(success: float, p50_ms: float, weight: float = 1.0) -> Performance:
    """Return what the federation believes of a cell."""
    return Performance(1000, success, p50_ms, None, None, weight)


def priors(**regions: Performance) -> PriorsView:
    """Return a first revision."""
    return PriorsView(1, {Cell(MODEL, name): one for name, one in regions.items()})


REGIONS = ("north", "south", "east")
NODES = st.lists(
    st.tuples(
        st.sampled_from(REGIONS),
        st.sampled_from(NodeState),
        st.booleans(),
        st.integers(min_value=1, max_value=8),
        st.integers(min_value=0, max_value=9),
    ),
    max_size=7,
).map(
    lambda rows: [
        candidate(
            f"nodes/n{number}",
            region=region,
            state=state,
            private=private,
            slots=slots,
            in_flight=in_flight,
        )
        for number, (region, state, private, slots, in_flight) in enumerate(rows)
    ]
)
QUERIES = st.builds(
    RouteQuery,
    model=st.just(MODEL),
    private=st.booleans(),
    excluded=st.frozensets(st.sampled_from(["nodes/n0", "nodes/n1", "nodes/n2"])),
)
VIEWS = st.dictionaries(
    st.sampled_from(REGIONS),
    st.builds(
        belief,
        st.floats(min_value=0, max_value=1),
        st.floats(min_value=1, max_value=1000),
        st.floats(min_value=0, max_value=1),
    ),
).map(lambda cells: priors(**cells))


def admissible(one: Candidate, query: RouteQuery) -> bool:
    """Return whether a candidate may serve a query, in plain words."""
    return (
        one.state is NodeState.READY
        and one.node not in query.excluded
        and (one.private or not query.private)
    )


@pytest.mark.parametrize("profile", STRATEGIES.values(), ids=lambda one: one.name)
@settings(max_examples=60)
@given(
    candidates=NODES,
    query=QUERIES,
    view=VIEWS,
    turn=st.integers(min_value=0, max_value=1 << 40),
)
def test_decision_is_sound_and_explains_itself(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery,
    view: PriorsView,
    turn: int,
) -> None:
    """For any nodes, query, priors and turn: total, lawful, one with its reasons."""
    decision = decided(profile, candidates, query, view, turn)

    able = [one for one in candidates if admissible(one, query)]
    told = {one.candidate.node: one for one in decision.candidates}
    assert sorted(told) == sorted(one.node for one in candidates)
    assert {node for node, one in told.items() if not one.rejected_by} == {
        one.node for one in able
    }
    assert (decision.chosen is None) == (not able)
    assert decision.chosen is None or decision.chosen in able
    assert all(0.0 <= one.score <= 1.0 for one in decision.candidates)
    scores = [one.score for one in decision.candidates if not one.rejected_by]
    assert scores == sorted(scores, reverse=True)
    assert decided(profile, list(reversed(candidates)), query, view, turn) == decision


@pytest.mark.parametrize("profile", [LEAST, PRIORS], ids=lambda one: one.name)
@settings(max_examples=60)
@given(candidates=NODES, query=QUERIES, view=VIEWS)
def test_chosen_has_the_best_score_that_is_explained(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery,
    view: PriorsView,
) -> None:
    """The scores that are shown are those that decided, to the last bit."""
    decision = decided(profile, candidates, query, view)
    left = [one for one in decision.candidates if not one.rejected_by]
    if decision.chosen is None:
        return

    top = max(one.score for one in left)
    equals = [one for one in left if one.score == top]

    expected = min(
        equals, key=lambda one: (one.candidate.in_flight, one.candidate.node)
    )
    assert decision.chosen == expected.candidate


@pytest.mark.parametrize("profile", STRATEGIES.values(), ids=lambda one: one.name)
@settings(max_examples=30)
@given(candidates=NODES, query=QUERIES, view=VIEWS)
def test_slate_scores_as_the_explanation_does(
    profile: Profile,
    candidates: Sequence[Candidate],
    query: RouteQuery,
    view: PriorsView,
) -> None:
    """A slate made for idle nodes must weigh any later load like a fresh decision."""
    idle = [replace(one, in_flight=0) for one in candidates]
    moment = at(candidates)

    slate = profile.slate(idle, query, view)

    fresh = decided(profile, candidates, query, view)
    explained = Placement(profile, slate, moment)
    assert explained.decision(priors_revision=view.revision) == fresh
    assert slate.scores(moment).tolist() == [one.score for one in slate.scored(moment)]


def test_ties_go_to_the_least_busy_then_to_the_first_by_name() -> None:
    """A tie must not be decided by the order of registration."""
    alike = [candidate("nodes/b"), candidate("nodes/a"), candidate("nodes/aa")]
    by_load = [
        candidate("nodes/a", slots=4, in_flight=4),
        candidate("nodes/b", slots=2, in_flight=2),
    ]

    first = decided(LEAST, alike, QUERY, PriorsView())
    second = decided(LEAST, by_load, QUERY, PriorsView())

    assert first.chosen == candidate("nodes/a")
    assert second.chosen == by_load[1]


def test_two_models_of_one_node_tie_by_name() -> None:
    """`models/auto` must be the same answer every time."""
    pair = [candidate(model="models/z"), candidate(model="models/y")]

    chosen = decided(LEAST, pair, RouteQuery("models/auto"), PriorsView()).chosen

    assert chosen is not None
    assert chosen.model == "models/y"


def test_failed_node_is_passed_over_and_named() -> None:
    """The explanation says which filter removed it."""
    pair = [candidate("nodes/a"), candidate("nodes/b")]
    query = RouteQuery(MODEL, excluded=frozenset({"nodes/a"}))

    decision = decided(LEAST, pair, query, PriorsView())

    rejected = [one for one in decision.candidates if one.rejected_by]
    assert decision.chosen == pair[1]
    assert rejected == [Scored(pair[0], rejected_by="not_failed_before")]


def test_nobody_left_is_no_choice() -> None:
    """And every candidate says why."""
    drained = [candidate(state=NodeState.DRAINING)]

    decision = decided(PRIORS, drained, QUERY, PriorsView())

    assert decision.chosen is None
    assert [one.rejected_by for one in decision.candidates] == ["not_draining"]


def test_priors_turn_the_route() -> None:
    """The whole point: what the federation learnt changes where a request goes."""
    pair = [candidate("nodes/a"), candidate("nodes/b", region="south")]

    before = decided(PRIORS, pair, QUERY, PriorsView())
    after = decided(
        PRIORS, pair, QUERY, priors(north=belief(0.9, 80.0), south=belief(0.9, 10.0))
    )

    assert before.chosen == pair[0]
    assert after.chosen == pair[1]
    assert (before.priors_revision, after.priors_revision) == (0, 1)


def test_load_outweighs_priors_in_the_end() -> None:
    """The fastest node must not be buried under everybody's requests."""
    view = priors(north=belief(0.95, 10.0), south=belief(0.9, 12.0))
    busy = candidate("nodes/a", slots=2, in_flight=40)
    idle = candidate("nodes/b", region="south", slots=2)

    assert decided(PRIORS, [busy, idle], QUERY, view).chosen == idle


def test_least_connections_spreads_by_size() -> None:
    """Requests fill nodes in proportion to their slots."""
    counts = {"nodes/a": 0, "nodes/b": 0}
    for _ in range(12):
        pair = [
            candidate("nodes/a", slots=8, in_flight=counts["nodes/a"]),
            candidate("nodes/b", slots=4, in_flight=counts["nodes/b"]),
        ]
        chosen = decided(LEAST, pair, QUERY, PriorsView()).chosen
        assert chosen is not None
        counts[chosen.node] += 1

    assert counts == {"nodes/a": 8, "nodes/b": 4}
