"""How often poisoners spoil half of the cohorts."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.robust.spoiling import half_spoiled_probability, poisoners_tolerated
from federated_router.privacy.cohorts import cohort_sizes

ERROR = 0.06
"""Of the table: 300 draws a figure, and other sizes where 100 does not divide."""

TABLE = {
    5: (0, 0, 0, 0.34, 0.93),
    8: (0, 0, 0.71, 0.94, 1.0),
    10: (0, 0.11, 0.93, 0.99, 1.0),
    15: (0.37, 0.93, 1.0, 1.0, 1.0),
}
"""Poisoners of a hundred: probabilities for cohorts of 4, 5, 8, 10 and 16."""


@pytest.mark.parametrize("poisoners", TABLE)
def test_table_of_the_design_is_reproduced_within_its_error(poisoners: int) -> None:
    """It was simulated; these figures are computed."""
    found = [
        half_spoiled_probability(roster=100, cohort=cohort, poisoners=poisoners)
        for cohort in (4, 5, 8, 10, 16)
    ]

    assert found == pytest.approx(TABLE[poisoners], abs=ERROR + 0.02)


def test_ten_poisoners_in_twenty_cohorts_of_five_as_in_closed_form() -> None:
    """Half are spoiled only if each of the ten is alone in its cohort."""
    alone = Fraction(1)
    for placed in range(10):
        alone *= Fraction(100 - 5 * placed, 100 - placed)

    found = half_spoiled_probability(roster=100, cohort=5, poisoners=10)

    assert found == pytest.approx(float(alone), rel=1e-9)


@given(roster=st.integers(3, 9), cohort=st.integers(1, 4), poisoners=st.integers(0, 5))
def test_probability_is_that_of_counting_all_placements(
    *, roster: int, cohort: int, poisoners: int
) -> None:
    """Members stand in cohorts one after the other; poisoners are any of them."""
    poisoners = min(poisoners, roster)
    sizes = cohort_sizes(roster, cohort)
    of = [number for number, size in enumerate(sizes) for _ in range(size)]
    placements = list(combinations(range(roster), poisoners))
    half = sum(2 * len({of[m] for m in one}) >= len(sizes) for one in placements)

    found = half_spoiled_probability(roster=roster, cohort=cohort, poisoners=poisoners)

    assert found == pytest.approx(half / len(placements), abs=1e-12)


@given(cohorts=st.integers(1, 100))
def test_tolerated_poisoners_never_spoil_half(*, cohorts: int) -> None:
    """Each alone in a cohort is their best; one more would do."""
    most = poisoners_tolerated(cohorts)

    assert 2 * most < cohorts
    assert 2 * (most + 1) >= cohorts
