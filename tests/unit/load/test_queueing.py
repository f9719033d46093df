"""Erlang C against published tables and a simulated queue."""

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.load.queueing import erlang_c, slots_needed, wait_s

OFFERED = st.floats(min_value=0.01, max_value=200.0)
SERVICE = st.floats(min_value=0.01, max_value=60.0)


@pytest.mark.parametrize(
    ("slots", "offered", "waits"),
    [
        (1, 0.5, 0.5),
        (2, 1.0, 1 / 3),
        (5, 3.0, 0.2362),
        (5, 4.0, 0.5541),
        (10, 8.0, 0.4092),
        (20, 16.0, 0.2561),
        (100, 90.0, 0.2169),
    ],
)
def test_probability_of_waiting_is_that_of_the_tables(
    slots: int, offered: float, waits: float
) -> None:
    """M/M/1 and M/M/2 by hand (rho, 2 rho^2 / (1 + rho)), the rest from tables."""
    assert erlang_c(slots, offered) == pytest.approx(waits, abs=1e-4)


def test_a_thousand_slots_neither_over_nor_underflow() -> None:
    """The textbook's formula has a^c / c!, which no double holds."""
    assert 0.0 < erlang_c(1000, 990.0) < 1.0
    assert erlang_c(1000, 1.0) == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize(("slots", "offered"), [(0, 0.0), (3, 3.0), (3, 9.0)])
def test_queue_that_grows_without_end_waits_for_ever(
    slots: int, offered: float
) -> None:
    """At a full load there is no mean to tell."""
    assert erlang_c(slots, offered) == 1.0
    if offered:
        assert wait_s(slots, arrivals_per_s=offered, service_s=1.0) == math.inf


def simulated_wait_s(
    slots: int, *, arrivals_per_s: float, service_s: float, requests: int, seed: int
) -> float:
    """Return the mean wait of a first-come queue with exponential times."""
    draw = random.Random(seed)  # noqa: S311 - a simulation.
    free = [0.0] * slots
    now = waited = 0.0
    for _ in range(requests):
        now += draw.expovariate(arrivals_per_s)
        start = max(now, heapq.heappop(free))
        waited += start - now
        heapq.heappush(free, start + draw.expovariate(1 / service_s))
    return waited / requests


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulated_queue_waits_as_long(seed: int) -> None:
    """Within 8 %: over these 200,000 requests a seed's own error is about 2 %."""
    expected = wait_s(6, arrivals_per_s=9.0, service_s=0.5)

    measured = simulated_wait_s(
        6, arrivals_per_s=9.0, service_s=0.5, requests=200_000, seed=seed
    )

    assert measured == pytest.approx(expected, rel=0.08)


def test_simulation_tells_a_wrong_formula() -> None:
    """Slots served one after the other as one fast server is the usual mistake."""
    wrong = wait_s(1, arrivals_per_s=9.0, service_s=0.5 / 6)

    measured = simulated_wait_s(
        6, arrivals_per_s=9.0, service_s=0.5, requests=200_000, seed=1
    )

    assert measured != pytest.approx(wrong, rel=0.08)


@given(offered=OFFERED, service_s=SERVICE, slots=st.integers(1, 300))
def test_another_slot_never_makes_the_wait_longer(
    offered: float, service_s: float, slots: int
) -> None:
    """Halving for the fewest slots rests on it."""
    arrivals = offered / service_s

    fewer = wait_s(slots, arrivals_per_s=arrivals, service_s=service_s)
    more = wait_s(slots + 1, arrivals_per_s=arrivals, service_s=service_s)

    assert more <= fewer


@given(offered=OFFERED, service_s=SERVICE, wait_max=st.floats(0.001, 10.0))
def test_slots_needed_are_the_fewest_that_keep_the_bounds(
    offered: float, service_s: float, wait_max: float
) -> None:
    """They keep both bounds, and one less breaks one."""
    arrivals = offered / service_s

    slots = slots_needed(
        arrivals_per_s=arrivals,
        service_s=service_s,
        wait_s_max=wait_max,
        utilisation_max=0.9,
        slots_max=10_000,
    )

    def kept(count: int) -> bool:
        waits = wait_s(count, arrivals_per_s=arrivals, service_s=service_s)
        return waits <= wait_max and arrivals * service_s <= 0.9 * count * (1 + 1e-12)

    assert kept(slots)
    assert slots == 1 or not kept(slots - 1)


def test_slots_needed_stop_at_the_most() -> None:
    """A flood does not ask for a search without end."""
    assert (
        slots_needed(
            arrivals_per_s=1e9,
            service_s=60.0,
            wait_s_max=0.1,
            utilisation_max=0.8,
            slots_max=64,
        )
        == 64
    )
