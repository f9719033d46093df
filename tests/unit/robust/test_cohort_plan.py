"""Which cohorts a federation can have, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.robust.plan import COHORT_SIZE_MIN, ONE_COHORT, plan
from coordinator.robust.settings import RobustSettings
from coordinator.robust.spoiling import half_spoiled_probability
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.cohorts import byzantine_fraction_max


def test_nobody_assumed_byzantine_makes_one_cohort() -> None:
    """The default: least noise, no robustness, and it says so."""
    assert plan(RobustSettings(), members_min=3, members_max=200) == ONE_COHORT


@given(
    fraction=st.floats(0.01, 0.12),
    members_min=st.integers(30, 120),
    more=st.integers(0, 60),
)
def test_planned_cohorts_withstand_what_they_are_planned_for(
    *, fraction: float, members_min: int, more: int
) -> None:
    """On average by the rule, in the smallest roster by its exact probability."""
    settings = RobustSettings(byzantine_fraction=fraction)
    try:
        found = plan(settings, members_min=members_min, members_max=members_min + more)
    except FieldInvalid:
        return

    assert found.size >= COHORT_SIZE_MIN
    assert fraction < byzantine_fraction_max(found.size)
    assert (
        half_spoiled_probability(
            roster=members_min,
            cohort=found.size,
            poisoners=math.ceil(fraction * members_min),
        )
        <= settings.spoiled_probability_max
    )
    assert found.survivors_min - found.colluders_max >= settings.honest_min


def test_larger_cohorts_are_taken_where_fewer_are_byzantine() -> None:
    """They need less noise."""
    many, few = (
        plan(RobustSettings(byzantine_fraction=f), members_min=100, members_max=200)
        for f in (0.1, 0.02)
    )

    assert (many.size, few.size) == (4, 14)
    assert many.byzantine_tolerated == 12


def test_one_honest_share_is_certain_and_more_are_not() -> None:
    """Large cohorts share the noise, at a probability that is stated."""
    settings = RobustSettings(byzantine_fraction=0.01, colluders_fraction=0.1)

    large = plan(settings, members_min=1000, members_max=1000)
    small = plan(
        RobustSettings(byzantine_fraction=0.05), members_min=60, members_max=60
    )

    assert large.survivors_min - large.colluders_max > 1
    assert large.failure_probability == settings.failure_probability
    assert small.survivors_min - small.colluders_max == 1
    assert small.failure_probability == 0


def test_too_many_byzantine_members_are_refused_with_the_numbers() -> None:
    """No cohort of three or more is clean often enough."""
    with pytest.raises(FieldInvalid) as refused:
        plan(RobustSettings(byzantine_fraction=0.3), members_min=100, members_max=200)

    assert refused.value.metadata["field"] == "byzantine_fraction"
    assert refused.value.metadata["byzantine_fraction"] == "0.3"
    assert "members_min" in refused.value.message


def test_privacy_that_robust_cohorts_cannot_give_is_refused_with_both_numbers() -> None:
    """Byzantine members ask for small cohorts, colluders for large ones."""
    settings = RobustSettings(byzantine_fraction=0.02, honest_min=2)

    with pytest.raises(FieldInvalid) as refused:
        plan(settings, members_min=100, members_max=200)

    assert refused.value.metadata["field"] == "honest_min"
    assert refused.value.metadata["cohort_size_max"] == "14"
    assert int(refused.value.metadata["cohort_size_needed"]) > 14
    assert "honest_min" in refused.value.message


def test_roster_too_small_for_three_cohorts_is_refused() -> None:
    """A median of two follows either."""
    with pytest.raises(FieldInvalid):
        plan(RobustSettings(byzantine_fraction=0.05), members_min=8, members_max=8)
