"""How many colluders a random cohort holds, against counting every division."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto import cohorts as drawing
from federated_router.crypto.transcript import RosterHash, RoundAttempt
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.cohorts import (
    byzantine_fraction_max,
    cohort_colluders_floor,
    cohort_sizes,
    colluders_in_cohort_max,
)


def expected_exceeding(roster: int, corrupt: int, cohort: int, most: int) -> Fraction:
    """Return the expected number of cohorts with an honest member and more colluders.

    By looking at every set of members that a cohort can be; members 0.. collude.
    """
    total = Fraction(0)
    for size in cohort_sizes(roster, cohort):
        sets = list(combinations(range(roster), size))
        over = [one for one in sets if most < sum(m < corrupt for m in one) < size]
        total += Fraction(len(over), len(sets))
    return total


@given(
    roster=st.integers(2, 9),
    corrupt=st.integers(0, 9),
    cohort=st.integers(0, 5),
    allowed=st.floats(0.001, 0.9),
    draws=st.sampled_from([1, 3]),
)
def test_bound_is_the_least_that_counting_all_divisions_allows(
    *, roster: int, corrupt: int, cohort: int, allowed: float, draws: int
) -> None:
    """One less is exceeded with more than the allowed probability; the bound is not."""
    corrupt = min(corrupt, roster)

    most = colluders_in_cohort_max(
        roster=roster,
        corrupt=corrupt,
        cohort=cohort,
        failure_probability=allowed,
        draws=draws,
    )

    limit = Fraction(repr(allowed)) / draws
    assert expected_exceeding(roster, corrupt, cohort, most) <= limit
    if most:
        assert expected_exceeding(roster, corrupt, cohort, most - 1) > limit


@pytest.mark.parametrize(("cohort", "tail", "most"), [(10, 4e-4, 6), (20, 2e-8, 13)])
def test_known_tails_of_twenty_corrupt_among_a_hundred(
    cohort: int, tail: float, most: int
) -> None:
    """At least 7 of 10 with 4e-4, 14 of 20 with 2e-8.

    The figures are for one cohort and of one digit; here they are for all of a round.
    """
    several = len(cohort_sizes(100, cohort))

    found = colluders_in_cohort_max(
        roster=100,
        corrupt=20,
        cohort=cohort,
        failure_probability=1.5 * tail * several,
        draws=1,
    )

    assert found == most


def test_attacker_who_chooses_among_beacons_gets_more_colluders_together() -> None:
    """What holds for one honest draw does not hold for the best of 2^40."""
    one, best = (
        colluders_in_cohort_max(
            roster=100, corrupt=20, cohort=10, failure_probability=4e-3, draws=draws
        )
        for draws in (1, 1 << 40)
    )

    assert (one, best) == (6, 9)


def test_one_honest_share_needs_no_probability() -> None:
    """All colluders but one member: that member's own noise is all it relies on."""
    floor = cohort_colluders_floor(
        roster=100, corrupt=33, cohort=5, survivors_min=4, failure_probability=1e-12
    )

    assert floor == 3


def test_whole_roster_as_one_cohort_holds_exactly_the_colluders() -> None:
    """Without a draw nothing is left to chance."""
    assert (
        colluders_in_cohort_max(
            roster=100, corrupt=33, cohort=0, failure_probability=1e-9
        )
        == 33
    )


@given(roster=st.integers(1, 200), cohort=st.integers(0, 50))
def test_sizes_are_those_of_the_cohorts_that_the_beacon_draws(
    *, roster: int, cohort: int
) -> None:
    """The bound speaks of the cohorts that there are."""
    drawn = drawing.assign(
        RoundAttempt("rounds/r1", 0),
        RosterHash(b"h" * 32),
        b"beacon",
        holders=roster,
        size=cohort,
    )

    assert sorted(map(len, drawn), reverse=True) == list(cohort_sizes(roster, cohort))


@pytest.mark.parametrize(
    ("cohort", "percent"), [(5, 13.0), (8, 8.3), (10, 6.7), (16, 4.2)]
)
def test_tolerated_fractions_are_those_of_the_design(
    cohort: int, percent: float
) -> None:
    """Half of the cohorts are expected clean at 1 - 0.5^(1/c)."""
    assert 100 * byzantine_fraction_max(cohort) == pytest.approx(percent, abs=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"roster": 0},
        {"corrupt": 11},
        {"cohort": -1},
        {"failure_probability": 0.0},
        {"failure_probability": 1.0},
        {"draws": 0},
    ],
)
def test_figures_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    """A probability of 0, or more colluders than members, is a mistake."""
    right = {"roster": 10, "corrupt": 3, "cohort": 3, "failure_probability": 0.01}

    with pytest.raises(FieldInvalid):
        colluders_in_cohort_max(**{**right, **wrong})  # type: ignore[arg-type]
