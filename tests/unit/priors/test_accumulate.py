"""Rounds add up with forgetting, and their noise exactly with them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.accumulate import Accumulated, accumulate
from federated_router.priors.blocks import Block
from federated_router.priors.contents import CellCounts, Contents
from federated_router.priors.publication import Priors
from tests.unit.priors.worlds import LAYOUT, noised, priors_of

DAY_S = 86_400.0
CELL = LAYOUT.cells[0]


def one_day(number: int, requests: int, *, noise: float = 0.0) -> Priors:
    """Return the priors of a day with so many requests in one bucket."""
    counts = CellCounts((requests, 0, 0, 0, 0), 0)
    return priors_of(
        Contents(performance={CELL: counts}),
        noise=noise,
        revision=number,
        create_time_s=number * DAY_S,
    )


def over_days(*days: Priors, half_life_s: float = DAY_S) -> Accumulated:
    """Return the days added up in order."""
    total: Accumulated | None = None
    for day in days:
        total = accumulate(total, day, half_life_s=half_life_s)
    assert total is not None
    return total


def test_each_half_life_halves_what_came_before() -> None:
    """400, 400 and 400 requests on three days weigh 100 + 200 + 400."""
    total = over_days(*(one_day(day, 400) for day in (1, 2, 3)))

    assert total.contents.performance[CELL].requests == 700
    assert (total.revision, total.time_s) == (3, 3 * DAY_S)


def test_variances_add_with_the_squared_weights() -> None:
    """Noise 8 on each of three days: 64 (1 + 1/4 + 1/16), whatever the factor."""
    total = over_days(*(one_day(day, 400, noise=8.0) for day in (1, 2, 3)))

    assert total.noise_of("latency") ** 2 == pytest.approx(64 * (1 + 1 / 4 + 1 / 16))
    assert total.noise_of("tokens") == pytest.approx(64 * total.noise_of("latency"))


def test_noise_of_a_block_of_its_own_is_followed() -> None:
    """An estimator may leave one block noisier than the others."""
    day = replace(one_day(1, 1, noise=2.0), noise_by_block={Block.CARBON: 3.0})

    total = over_days(day)

    assert total.noise_of("carbon_requests") == pytest.approx(6.0)
    assert total.noise_of("latency") == pytest.approx(2.0)


def test_stated_noise_is_the_noise_that_sums_have() -> None:
    """The spread of 24 slots over 100 histories is as stated within 6 %.

    The standard error of the spread of 2,400 values is 1.44 %, so 6 % is four of them.
    """
    days = [one_day(day, 0, noise=8.0) for day in (1, 2, 3)]
    found = []
    for seed in range(100):
        history = [noised(day, seed=10 * seed + n) for n, day in enumerate(days)]
        total = over_days(*history)
        span = LAYOUT.spans[Block.PERFORMANCE]
        found += list(total.values[span] / np.sqrt(total.variances[span]))

    assert len(found) == 100 * 24
    assert abs(float(np.std(found)) - 1.0) < 0.06


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6), st.floats(0.1, 1e3))
def test_rounds_one_by_one_are_the_weighted_sum_at_once(
    requests: list[int], half_lives: float
) -> None:
    """Whoever joins late and reads all revisions gets what the others have."""
    days = [one_day(day, count) for day, count in enumerate(requests, start=1)]

    total = over_days(*days, half_life_s=half_lives * DAY_S)

    last = len(requests)
    expected = sum(
        count * 0.5 ** ((last - day) / half_lives)
        for day, count in enumerate(requests, start=1)
    )
    assert total.values[0] == pytest.approx(expected)


def test_new_version_of_the_same_slots_goes_on() -> None:
    """An operator may state the same catalogue anew."""
    before = over_days(one_day(1, 400))
    day = one_day(2, 400)
    same = replace(day, catalogue=replace(day.catalogue, version=2))

    assert accumulate(before, same, half_life_s=DAY_S).values[0] == 600


def test_other_slots_begin_anew() -> None:
    """Adding other meanings would make numbers of nothing."""
    before = over_days(one_day(1, 400))
    catalogue = replace(LAYOUT, token_unit=11.0)
    day = priors_of(
        Contents(performance={CELL: CellCounts((5, 0, 0, 0, 0), 0)}),
        catalogue=catalogue,
        revision=2,
    )

    after = accumulate(before, day, half_life_s=DAY_S)

    assert after.values[0] == 5
    assert after.catalogue == catalogue


def test_same_revision_is_never_added_twice() -> None:
    """Streams repeat what they sent; requests are in one sum."""
    total = over_days(one_day(1, 400))

    with pytest.raises(FieldInvalid, match="once"):
        accumulate(total, one_day(1, 400), half_life_s=DAY_S)


@pytest.mark.parametrize("half_life_s", [0.0, -1.0, float("nan")])
def test_half_life_must_be_a_time(half_life_s: float) -> None:
    """Zero would forget the round itself."""
    with pytest.raises(FieldInvalid):
        accumulate(None, one_day(1, 1), half_life_s=half_life_s)


def test_clock_that_goes_back_forgets_nothing_and_adds_no_weight() -> None:
    """A coordinator restored from a backup may publish with an older time."""
    total = over_days(replace(one_day(1, 400), create_time_s=10 * DAY_S))

    after = accumulate(total, one_day(2, 100), half_life_s=DAY_S)

    assert after.values[0] == 500


def test_unknown_quantity_has_no_noise() -> None:
    """A misspelt name must not read as noiseless."""
    with pytest.raises(KeyError):
        over_days(one_day(1, 1)).noise_of("joules")
