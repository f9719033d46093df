"""What counts against a member, and what several rounds add up to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.robust.offenders import Conduct, conduct, standing
from federated_router.crypto.transcript import MemberName

A, B, C, D = (MemberName(f"node/{name}") for name in "abcd")


def test_each_member_is_charged_with_its_own_deeds() -> None:
    """B lied, C dealt inconsistently and is in no cohort, D is in an outlying one."""
    found = conduct(
        (A, B, C, D),
        liars=(B,),
        inconsistent=(C,),
        cohorts={1: (A, B), 2: (D,)},
        outlying=(2,),
    )

    assert found == (
        Conduct(A, lied=False, inconsistent=False, outlying=False, outlying_chance=0.5),
        Conduct(B, lied=True, inconsistent=False, outlying=False, outlying_chance=0.5),
        Conduct(C, lied=False, inconsistent=True, outlying=False, outlying_chance=0.0),
        Conduct(D, lied=False, inconsistent=False, outlying=True, outlying_chance=0.5),
    )


def rounds(outlying: int, quiet: int, *, chance: float) -> list[Conduct]:
    """Return so many rounds of a member."""
    return [
        Conduct(
            A, lied=False, inconsistent=False, outlying=apart, outlying_chance=chance
        )
        for apart in [True] * outlying + [False] * quiet
    ]


def test_member_of_outlying_cohorts_more_often_than_chance_stands_out() -> None:
    """One of twenty cohorts a round: once in ten is nothing, five times is much."""
    once = standing(A, rounds(1, 9, chance=0.05))
    often = standing(A, rounds(5, 5, chance=0.05))

    assert once.outlying_tail == pytest.approx(1 - 0.95**10)
    assert often.outlying_tail < 1e-4
    assert often.outlying == 5


def test_member_that_is_always_outlying_where_all_are_does_not_stand_out() -> None:
    """A round in which every cohort is outlying says nothing of anybody."""
    assert standing(A, rounds(5, 0, chance=1.0)).outlying_tail == 1.0


def test_member_of_no_round_has_a_clean_standing() -> None:
    """Nothing is held against a newcomer."""
    found = standing(A, [])

    assert (found.rounds, found.lies, found.outlying_tail) == (0, 0, 1.0)


@given(
    chances=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    outlying=st.integers(0, 30),
)
def test_tail_is_a_probability_that_falls_with_each_outlying_round(
    *, chances: list[float], outlying: int
) -> None:
    """More of the same never looks more innocent."""
    found = [
        Conduct(
            A,
            lied=False,
            inconsistent=False,
            outlying=number < outlying,
            outlying_chance=chance,
        )
        for number, chance in enumerate(chances)
    ]

    tail = standing(A, found).outlying_tail
    more = standing(A, [*found, *rounds(1, 0, chance=0.0)]).outlying_tail

    assert 0.0 <= more <= tail + 1e-12 <= 1.0 + 2e-12
