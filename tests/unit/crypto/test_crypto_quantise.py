"""Statistics become integers on their grid; sums that could wrap are refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto import quantise
from federated_router.crypto.ckks import SUM_BOUND
from federated_router.crypto.quantise import SlotScale
from federated_router.kit.errors import (
    CiphertextMalformed,
    FieldInvalid,
    HeadroomExceeded,
)

LATENCY_MS = SlotScale(low=0.0, high=60_000.0, step=0.5)
RATIO = SlotScale(low=-1.0, high=1.0, step=1 / 1024)


def test_values_are_clipped_then_counted_in_steps() -> None:
    """The bound holds whatever a member measured, infinity included."""
    values = [1e9, -5.0, 10.3, math.inf]

    steps = quantise.quantise(values, [LATENCY_MS] * 4)

    assert steps.tolist() == [120_000, 0, 21, 120_000]


@given(value=st.floats(allow_nan=False))
def test_integer_stays_within_the_slots_bound(value: float) -> None:
    """What clipping promises to the sensitivity, rounding does not take back."""
    for scale in (LATENCY_MS, RATIO, SlotScale(-0.35, 0.7, 0.2)):
        (steps,) = quantise.quantise([value], [scale])

        assert abs(int(steps)) <= scale.bound_steps


@given(value=st.floats(-1, 1))
def test_restored_value_is_within_half_a_step(value: float) -> None:
    """The grid is the only loss between a statistic and its sum."""
    steps = quantise.quantise([value], [RATIO])

    (restored,) = quantise.restore(steps, [RATIO])

    assert abs(restored - value) <= RATIO.step / 2


def test_value_that_is_no_number_is_refused() -> None:
    """Clipping would let it through."""
    with pytest.raises(FieldInvalid):
        quantise.quantise([math.nan], [RATIO])


def test_other_number_of_values_than_slots_is_refused() -> None:
    """Numpy would stretch one value over all slots."""
    with pytest.raises(FieldInvalid):
        quantise.quantise([0.5], [RATIO, RATIO])
    with pytest.raises(FieldInvalid):
        quantise.restore(np.zeros(3, dtype=np.int64), [RATIO, RATIO])


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(1, 1, 1), (2, 1, 1), (0, 1, 0), (0, 1, -1), (0, math.inf, 1), (0, 1, math.nan)],
)
def test_impossible_grid_is_refused(low: float, high: float, step: float) -> None:
    """A catalogue is wrong when it is read, not when a round runs."""
    with pytest.raises(FieldInvalid):
        SlotScale(low, high, step)


def test_grid_too_fine_for_a_slot_is_refused() -> None:
    """One contribution alone would leave the slot."""
    with pytest.raises(HeadroomExceeded):
        SlotScale(0.0, 1.0, 2.0**-28)


def test_roster_that_just_fits_is_accepted_and_one_more_is_not() -> None:
    """Roster times bound + 16 sigma stays below 2^28; the limit is reached here."""
    scale = SlotScale(0.0, float(2**20), 1.0)
    sigma = (2**20 - 1) / quantise.NOISE_TAIL_SIGMAS

    quantise.refuse_overflow([scale], members=255, noise_sigma_steps=sigma)

    with pytest.raises(HeadroomExceeded) as caught:
        quantise.refuse_overflow([scale], members=256, noise_sigma_steps=0.0)
    assert caught.value.metadata["available"] == str(SUM_BOUND)


@pytest.mark.parametrize("sigma", [math.nan, math.inf, -1.0, 2.0**28])
def test_noise_without_headroom_is_refused(sigma: float) -> None:
    """Noise is part of what is summed."""
    with pytest.raises(HeadroomExceeded):
        quantise.refuse_overflow([RATIO], members=4, noise_sigma_steps=sigma)


def test_count_travels_first_and_is_taken_off() -> None:
    """Every member contributes exactly one."""
    one = quantise.with_count(np.array([7, -3]))

    behind = quantise.without_count(
        np.concatenate([3 * one, np.zeros(5, dtype=np.int64)]), accepted=3, slots=2
    )

    assert one.tolist() == [1, 7, -3]
    assert behind.tolist() == [21, -9]


@pytest.mark.parametrize("sums", [[2, 7, 7, 0], [4, 7, 7, 0], [3, 7, 7, 1]])
def test_sum_that_does_not_count_the_accepted_is_refused(sums: list[int]) -> None:
    """One member too few, one vote too many, or something where nothing belongs."""
    with pytest.raises(CiphertextMalformed):
        quantise.without_count(np.array(sums), accepted=3, slots=2)
