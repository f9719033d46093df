"""Pickers take an open place, as they say, and leave nobody out."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.moment import Moment
from federated_router.routing.pickers import (
    BEST,
    PICKERS,
    POWER_OF_TWO,
    RANDOM,
    SOFTMAX,
    Picker,
)
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.profile import Profile
from federated_router.routing.scorers import FREE_SLOTS
from federated_router.routing.slate import Slate
from federated_router.routing.turns import Turns
from tests.unit.routing.placing import QUERY, candidate

LOADS = st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=8)
DECISIONS = 2000


def slate_under(loads: Sequence[int]) -> tuple[Slate, dict[str, int]]:
    """Return a slate of alike nodes, and so many requests at each."""
    nodes: list[Candidate] = [
        candidate(f"nodes/n{number}") for number in range(len(loads))
    ]
    profile = Profile("any", ((FREE_SLOTS, 1.0),))
    busy = {one.node: load for one, load in zip(nodes, loads, strict=True) if load}
    return profile.slate(nodes, QUERY, PriorsView()), busy


def picks(
    picker: Picker, slate: Slate, in_flight: dict[str, int], count: int
) -> Counter[int]:
    """Return how often each place is picked over so many turns."""
    places = range(len(slate.candidates))
    return Counter(
        picker.pick(
            slate,
            Moment(in_flight=in_flight, turns=Turns(seed=11, number=number)),
            places,
        )
        for number in range(count)
    )


@pytest.mark.parametrize("picker", PICKERS.values(), ids=lambda one: one.name)
@given(loads=LOADS, data=st.data())
def test_only_open_places_are_picked(
    picker: Picker, loads: list[int], data: st.DataObject
) -> None:
    """A place that a filter closed is never taken, whatever it scores."""
    slate, busy = slate_under(loads)
    every = st.sampled_from(range(len(loads)))
    places = sorted(data.draw(st.sets(every, min_size=1)))
    number = data.draw(st.integers(min_value=0, max_value=1 << 40))

    picked = picker.pick(slate, Moment(in_flight=busy, turns=Turns(5, number)), places)

    assert picked in places


@given(loads=LOADS.filter(lambda loads: len(loads) > 1), number=st.integers(0, 9999))
def test_power_of_two_never_takes_the_busier_of_the_two(
    loads: list[int], number: int
) -> None:
    """The two are those that are drawn: whoever is taken has an equal or a worse peer.

    So the busiest node alone is never taken.
    """
    slate, busy = slate_under(loads)
    moment = Moment(in_flight=busy, turns=Turns(7, number))

    picked = POWER_OF_TWO.pick(slate, moment, range(len(loads)))

    others = [load for place, load in enumerate(loads) if place != picked]
    assert loads[picked] <= max(others)


def test_power_of_two_draws_every_pair() -> None:
    """A draw that missed pairs would leave nodes out: the idlest wins all its own."""
    slate, busy = slate_under([0, 1, 2, 3])

    found = picks(POWER_OF_TWO, slate, busy, 6000)

    # Of 12 ordered pairs the places win 6, 4, 2 and 0; six deviations are about 0.04.
    shares = [found[place] / 6000 for place in range(4)]
    assert shares == pytest.approx([6 / 12, 4 / 12, 2 / 12, 0.0], abs=0.04)


def test_random_takes_all_alike() -> None:
    """Within six deviations of a fair share: wrong once in a hundred million runs."""
    slate, busy = slate_under([9, 0, 0, 0, 5])

    found = picks(RANDOM, slate, busy, DECISIONS)

    deviation = (DECISIONS * 0.2 * 0.8) ** 0.5
    assert all(abs(found[place] - DECISIONS / 5) < 6 * deviation for place in range(5))


def test_softmax_prefers_and_leaves_nobody_out() -> None:
    """The better is taken far more often; the worse still now and then."""
    slate, busy = slate_under([0, 0, 1])

    found = picks(SOFTMAX, slate, busy, DECISIONS)

    assert found[0] > 10 * found[2] > 0
    assert abs(found[0] - found[1]) < DECISIONS * 0.1


@given(loads=LOADS)
def test_best_takes_the_least_busy_of_equals_then_the_first(loads: list[int]) -> None:
    """The order of registration decides nothing."""
    slate, busy = slate_under(loads)

    picked = BEST.pick(slate, Moment(in_flight=busy), range(len(loads)))

    assert picked == loads.index(min(loads))


def prompts(count: int) -> list[Shape]:
    """Return prompts that begin each in a way of its own."""
    return [
        Shape(prompt_tokens=1024, prefix=(number * 7919, number))
        for number in range(count)
    ]


def homes(nodes: Sequence[str], shapes: Sequence[Shape]) -> dict[int, str]:
    """Return where prompts that nobody holds go while all are idle."""
    profile = Profile("any", ((FREE_SLOTS, 1.0),))
    slate = profile.slate([candidate(name) for name in nodes], QUERY, PriorsView())
    places = range(len(nodes))
    return {
        number: slate.candidates[BEST.pick(slate, Moment(shape=shape), places)].node
        for number, shape in enumerate(shapes)
    }


def test_node_that_comes_or_goes_moves_few_prompts() -> None:
    """Only those that it wins or won: an eighth of them, and nobody else's."""
    names = [f"nodes/n{number}" for number in range(8)]
    shapes = prompts(4000)

    before, after = homes(names[:7], shapes), homes(names, shapes)

    moved = [number for number in before if before[number] != after[number]]
    assert {after[number] for number in moved} == {"nodes/n7"}
    # Six deviations of a binomial share of 1/8 are 0.031.
    assert len(moved) / len(shapes) == pytest.approx(1 / 8, abs=0.032)


def test_prompts_that_begin_alike_meet() -> None:
    """A second router, and a longer prompt, find the same node."""
    names = [f"nodes/n{number}" for number in range(8)]
    short, longer = Shape(prefix=(3, 5)), Shape(prefix=(3, 5, 9, 11))

    assert homes(names, [short])[0] == homes(list(reversed(names)), [longer])[0]
