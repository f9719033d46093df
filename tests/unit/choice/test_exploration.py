"""Exploration is bounded at every moment, can be switched off, and is told."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.choice.choosing import NO_WISHES, ModelOption, Wishes
from tests.unit.choice.choosers import EASY, OPTIONS, chooser_of

STEADY = Wishes(steady=True)


@given(
    share=st.sampled_from([0.0, 0.01, 0.03, 0.05, 0.2, 0.5]),
    draws=st.lists(st.floats(0, 0.999), min_size=1, max_size=300),
    way=st.sampled_from(["thompson", "epsilon"]),
)
def test_never_more_requests_explore_than_the_bound(
    share: float, draws: list[float], way: str
) -> None:
    """Whatever chance says: at every moment, of all requests until then."""
    drawn = iter(draws)
    chooser = chooser_of(
        exploration=way, exploration_max=share, uniform=lambda: next(drawn)
    )
    explored = 0
    for number in range(1, len(draws) + 1):
        explored += chooser.choose(EASY, OPTIONS, NO_WISHES, explore=True).explored
        assert explored <= share * number


@pytest.mark.parametrize(
    ("share", "explore", "wishes", "way"),
    [
        (0.5, False, NO_WISHES, "thompson"),
        (0.5, True, STEADY, "thompson"),
        (0.5, True, NO_WISHES, "off"),
        (0.0, True, NO_WISHES, "epsilon"),
    ],
)
def test_nobody_explores_who_does_not_want_to(
    share: float,
    explore: bool,  # noqa: FBT001 - parametrised.
    wishes: Wishes,
    way: str,
) -> None:
    """`steady`, an explanation, and the operator each switch it off."""
    chooser = chooser_of(exploration=way, exploration_max=share)

    choices = [
        chooser.choose(EASY, OPTIONS, wishes, explore=explore) for _ in range(100)
    ]

    assert not any(choice.explored for choice in choices)
    assert not any(one.exploration for c in choices for one in c.expectations)


def test_bound_is_used_up() -> None:
    """The tests above have power: a chooser that may explore does."""
    chooser = chooser_of(exploration="epsilon", exploration_max=0.05)

    choices = [
        chooser.choose(EASY, OPTIONS, NO_WISHES, explore=True) for _ in range(400)
    ]

    assert sum(choice.explored for choice in choices) == 20


def test_epsilon_tries_every_other_model_alike() -> None:
    """4,000 draws, 2,000 trials of 2 models: 1,000 each but for five deviations, 112.

    Of draws that are spread evenly there is no chance at all.
    """
    drawn = iter((number * 0.618034) % 1 for number in range(4_000))
    chooser = chooser_of(
        exploration="epsilon",
        exploration_max=0.5,
        exploration_window=1_000_000,
        uniform=lambda: next(drawn),
    )
    options = (*OPTIONS, ModelOption("models/other"))

    taken = Counter(
        choice.chosen
        for choice in (
            chooser.choose(EASY, options, NO_WISHES, explore=True) for _ in range(4_000)
        )
        if choice.explored
    )

    assert len(taken) == 2
    assert all(abs(count - 1_000) < 112 for count in taken.values())


def test_savings_are_limited_to_a_window() -> None:
    """After a long time in which nobody explored there is no burst of it."""
    calm = iter([0.999] * 10_000 + [0.0] * 200)
    chooser = chooser_of(
        exploration="epsilon",
        exploration_max=0.1,
        exploration_window=100,
        uniform=lambda: next(calm),
    )
    for _ in range(10_000):
        chooser.choose(EASY, OPTIONS, NO_WISHES, explore=True)

    explored = sum(
        chooser.choose(EASY, OPTIONS, NO_WISHES, explore=True).explored
        for _ in range(50)
    )

    assert explored <= 10 + 5


def test_probabilities_of_being_tried_are_told_and_add_up() -> None:
    """An explanation that hid chance would not explain."""
    chooser = chooser_of(exploration_max=0.5, uniform=lambda: 0.999)
    for _ in range(3):
        choice = chooser.choose(EASY, OPTIONS, NO_WISHES, explore=True)

    first, second = choice.expectations
    assert first.exploration == 0
    assert 0 < second.exploration <= 1
