"""The dip test of cohort sums: error rate, limits, and what a quiet test is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.robust import dip_tables
from coordinator.robust.dip import ALPHA, SAMPLES_MAX, SAMPLES_MIN, dip_test
from tests.support import generate_dip_tables as generator


@given(
    sample=st.lists(st.floats(-100, 100), min_size=SAMPLES_MIN, max_size=60),
    shift=st.integers(-50, 50),
)
def test_a_finding_does_not_change_with_place_direction_or_order(
    *, sample: list[float], shift: int
) -> None:
    """It is about shape alone, and within its known range."""
    values = np.round(np.array(sample), 3)

    found = dip_test(values)

    assert 0.0 <= found.statistic <= 0.25
    assert 0.0 <= found.p_value <= 1.0
    for other in (-values, values + shift, values[::-1]):
        assert dip_test(other).statistic == pytest.approx(found.statistic, abs=1e-9)


def test_two_far_modes_are_found_and_equal_values_are_not() -> None:
    """The largest dip there is, and none at all."""
    halves = dip_test([0.0] * 20 + [9.0] * 20)
    equal = dip_test([7.0] * 40)

    assert halves.statistic == pytest.approx(0.25)
    assert halves.p_value < 0.001
    assert equal.p_value == 1.0


@pytest.mark.parametrize("size", [16, 50, 200])
def test_uniform_samples_give_small_p_values_as_often_as_stated(size: int) -> None:
    """Whatever the size.

    Of 600 samples 30 are expected at 0.05; 8 to 58 covers all but 1e-5.
    """
    dice = np.random.default_rng(size)

    found = sum(dip_test(dice.random(size)).p_value <= ALPHA for _ in range(600))

    assert 8 <= found <= 58


def test_power_is_that_of_the_design_in_its_order() -> None:
    """30 % shifted by six deviations: little below 33 sums, over half at 50.

    The design measured .01, .12, .17, .59 and .96. Each of 200 samples errs by 0.035.
    """
    dice = np.random.default_rng(8)
    found = []
    for size in (16, 25, 33, 50, 100):
        hits = 0
        for _ in range(200):
            values = dice.standard_normal(size)
            values[: round(0.3 * size)] += 6.0
            hits += dip_test(values).p_value <= ALPHA
        found.append(hits / 200)

    assert found == sorted(found)
    assert found[0] < 0.3
    assert 0.35 <= found[3] <= 0.75
    assert found[4] >= 0.9


def test_shift_of_three_deviations_is_hardly_ever_found() -> None:
    """What the test is not for, also with a hundred sums."""
    dice = np.random.default_rng(9)
    values = dice.standard_normal((100, 100))
    values[:, :30] += 3.0

    assert sum(dip_test(one).p_value <= ALPHA for one in values) <= 10


def test_stated_power_grows_with_the_sample() -> None:
    """An operator sees that a quiet test of few sums says nothing."""
    powers = [dip_test(np.arange(float(size))).power for size in (16, 32, 50, 100, 200)]

    assert powers == sorted(powers)
    assert powers[0] < 0.3
    assert powers[-1] > 0.95


@pytest.mark.parametrize("size", [16, 25, 33, 50, 100])
def test_stated_power_is_what_the_test_finds(size: int) -> None:
    """At sizes of the table and between them.

    The share found among 600 samples errs by 0.02 at most; four of these are allowed,
    and 0.02 for the line between two sizes.
    """
    found = generator.power(size, samples=600)

    assert dip_test(np.arange(float(size))).power == pytest.approx(found, abs=0.1)


def test_table_is_of_the_sizes_that_its_generator_simulates() -> None:
    """A table that was written by another version has other sizes."""
    assert dip_tables.SIZES == generator.SIZES
    assert len(dip_tables.POWERS) == len(dip_tables.SIZES)


def test_too_few_values_are_not_tested_and_too_many_are_left_out() -> None:
    """The newest stand first; the oldest are left out."""
    few = dip_test([0.0] * (SAMPLES_MIN - 1))
    two_modes = [float(index % 2) for index in range(3 * SAMPLES_MAX)]
    many = dip_test([*np.linspace(0, 1, SAMPLES_MAX), *two_modes])

    assert (few.p_value, few.power) == (1.0, 0.0)
    assert many.samples == SAMPLES_MAX
    assert many.p_value > 0.9
