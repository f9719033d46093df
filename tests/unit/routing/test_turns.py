"""Turns: exact over a period, spread out, and owed to nobody for ever."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.moment import Moment
from federated_router.routing.pickers import IN_TURN, WEIGHTED_IN_TURN, Picker
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Placement, Profile
from federated_router.routing.scorers import FREE_SLOTS
from federated_router.routing.turns import Turns
from tests.unit.routing.placing import QUERY, Live, candidate

WEIGHTS = st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=7)


def taken(
    picker: Picker, candidates: Sequence[Candidate], count: int, moment: Moment
) -> list[str]:
    """Return who is taken, one decision after the other."""
    profile = Profile("turns", ((FREE_SLOTS, 1.0),), picker)
    slate = profile.slate(candidates, QUERY, PriorsView())
    found = []
    for _ in range(count):
        placement = Placement(profile, slate, moment)
        chosen = placement.take()
        assert chosen is not None
        found.append(chosen.node)
    return found


def weighted(weights: Sequence[float]) -> list[Candidate]:
    """Return a candidate of each weight."""
    return [
        candidate(f"nodes/n{number}", weight=weight)
        for number, weight in enumerate(weights)
    ]


@given(weights=WEIGHTS, periods=st.integers(min_value=1, max_value=3))
def test_each_is_taken_as_often_as_it_weighs(weights: list[int], periods: int) -> None:
    """Exactly, over every period of as many decisions as the weights add up to."""
    nodes = weighted(weights)

    found = taken(WEIGHTED_IN_TURN, nodes, periods * sum(weights), Moment())

    expected = {f"nodes/n{n}": periods * weight for n, weight in enumerate(weights)}
    assert Counter(found) == expected


@given(weights=WEIGHTS)
def test_heavy_node_is_not_taken_many_times_in_a_row(weights: list[int]) -> None:
    """Smooth: between two turns of a node no more pass than its share allows."""
    nodes, total = weighted(weights), sum(weights)

    found = taken(WEIGHTED_IN_TURN, nodes, 3 * total, Moment())

    for number, weight in enumerate(weights):
        turns = [at for at, node in enumerate(found) if node == f"nodes/n{number}"]
        gaps = [later - one for one, later in pairwise(turns)]
        # The longest gap of Nginx's method is under two of the node's own shares.
        assert max(gaps, default=0) < 2 * total / weight + len(weights)


@given(
    count=st.integers(min_value=1, max_value=9),
    decisions=st.integers(min_value=1, max_value=60),
)
def test_round_robin_stays_within_one(count: int, decisions: int) -> None:
    """At no time has a node been taken more than once more often than another."""
    nodes = weighted([1.0] * count)

    found = Counter(taken(IN_TURN, nodes, decisions, Moment()))

    times = [found[one.node] for one in nodes]
    assert max(times) - min(times) <= 1


def test_round_robin_visits_each_by_name_and_around_again() -> None:
    """Whatever they score, and however busy they are."""
    nodes = [candidate(f"nodes/{n}", in_flight=9 * (n == "b")) for n in "cab"]

    found = taken(IN_TURN, nodes, 6, Moment(in_flight={"nodes/b": 9}))

    assert found == ["nodes/a", "nodes/b", "nodes/c"] * 2


def test_requests_of_two_models_do_not_take_each_others_turns() -> None:
    """Alternating models would else send every request of one to the same node."""
    live = Live()
    live.join("a", "b", models=("models/x", "models/y"))
    live.router.set_strategy("round_robin")

    found: Counter[tuple[str, str]] = Counter()
    for _ in range(10):
        for model in ("models/x", "models/y"):
            found[live.router.choose(RouteQuery(model)).site] += 1

    assert set(found.values()) == {5}
    assert len(found) == 4


def test_node_that_was_barred_waits_for_no_arrears() -> None:
    """Who comes back is not given all the turns that it missed."""
    nodes, moment = weighted([1.0, 1.0]), Moment()
    taken(IN_TURN, nodes[:1], 50, moment)

    found = taken(IN_TURN, nodes, 10, moment)

    assert Counter(found) == {"nodes/n0": 5, "nodes/n1": 5}


def test_explanation_takes_no_turn() -> None:
    """Reading the moment changes nothing, whichever picker."""
    nodes, turns = weighted([3.0, 1.0]), Turns(seed=3)
    profile = Profile("turns", ((FREE_SLOTS, 1.0),), WEIGHTED_IN_TURN)
    moment = Moment(turns=turns)
    slate = profile.slate(nodes, QUERY, PriorsView())

    first = Placement(profile, slate, moment).chosen()
    again = Placement(profile, slate, moment).chosen()

    assert first == again
    assert not turns.owed


def test_sites_that_left_are_forgotten() -> None:
    """Names of nodes that come and go must not add up."""
    live = Live()
    live.router.set_strategy("round_robin")
    for number in range(50):
        live.join(f"n{number}")
        live.nodes(2)
        member = live.registry.present().members[f"nodes/n{number}"]
        live.registry.deregister(member.name, member.lease_id)

    live.join("last")
    live.nodes(1)

    assert live.router._memory.turns.owed.places == 1
