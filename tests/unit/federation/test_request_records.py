"""One record moves no sum further than its block allows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.federation.records import (
    Pull,
    RequestRecord,
    Success,
    steps_of,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.contents import STEPS_MAX, Cell
from federated_router.priors.features import FEATURE_COUNT, REWARD_MAX

CELL = Cell("models/a", "eu")


@given(st.floats(), st.floats(min_value=1e-6, max_value=1e6))
def test_any_measurement_becomes_a_bounded_number_of_steps(
    quantity: float, unit: float
) -> None:
    """Clocks jump and prices are typed by people; the sensitivity must hold."""
    assert 0 <= steps_of(quantity, unit=unit) <= STEPS_MAX


@pytest.mark.parametrize(
    ("quantity", "steps"),
    [(0.0, 0), (7.9, 0), (8.1, 1), (160.0, 10), (1e9, 64), (math.nan, 0), (-5.0, 0)],
)
def test_steps_are_to_the_nearest(quantity: float, steps: int) -> None:
    """Always rounding down would bias every sum."""
    assert steps_of(quantity, unit=16.0) == steps


@pytest.mark.parametrize("field", ["tokens", "cost", "energy"])
@pytest.mark.parametrize("steps", [-1, STEPS_MAX + 1])
def test_steps_out_of_bounds_are_refused(field: str, steps: int) -> None:
    """Whoever records must clip first; here is the last door."""
    with pytest.raises(FieldInvalid):
        Success(latency_ms_per_token=1.0, **{field: steps})


@pytest.mark.parametrize("latency", [-0.1, math.nan])
def test_latency_that_is_no_duration_is_refused(latency: float) -> None:
    """NaN would land in some bucket and say something false."""
    with pytest.raises(FieldInvalid):
        Success(latency_ms_per_token=latency)


@pytest.mark.parametrize(
    ("features", "reward"),
    [
        ((8, 1, *(0,) * 14), 1),
        ((1,) * (FEATURE_COUNT - 1), 1),
        ((1,) * FEATURE_COUNT, REWARD_MAX + 1),
        ((1,) * FEATURE_COUNT, -1),
    ],
)
def test_pull_that_would_move_the_bandit_too_far_is_refused(
    features: tuple[int, ...], reward: int
) -> None:
    """The norm bounds both the gram matrix and the moment."""
    with pytest.raises(FieldInvalid):
        Pull(features, reward)


@pytest.mark.parametrize("carbon", [-1, STEPS_MAX + 1])
def test_carbon_intensity_out_of_bounds_is_refused(carbon: int) -> None:
    """As for every sum of steps."""
    with pytest.raises(FieldInvalid):
        RequestRecord(cell=CELL, carbon=carbon)


def test_pattern_and_features_do_not_show_in_a_repr() -> None:
    """They are computed from a prompt."""
    assert "1, 1" not in repr(Pull((1,) * FEATURE_COUNT, 1))
