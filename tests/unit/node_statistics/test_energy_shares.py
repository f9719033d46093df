"""How a machine's energy is shared among requests."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.statistics.energy_shares import EnergyShares, Joules
from node.statistics.energy_sources import EnergySource

RAPL, NVML = EnergySource.MEASURED_RAPL, EnergySource.MEASURED_NVML


def measuring(*sources: EnergySource, waiting_max: int = 8) -> EnergyShares:
    """Return shares that expect readings of these sources."""
    shares = EnergyShares(waiting_max=waiting_max)
    for source in sources:
        shares.use(source)
    return shares


def test_tokens_of_the_interval_divide_its_energy() -> None:
    """Three quarters of the tokens are three quarters of the joules, of each meter."""
    shares = measuring(RAPL, NVML)
    told: dict[int, Joules] = {}
    for tokens in (30, 10):
        share = shares.begin()
        share.add(tokens)
        shares.finish(share, partial(told.__setitem__, tokens))

    assert told == {}
    shares.take({RAPL: 8.0, NVML: 80.0})

    assert told == {30: {RAPL: 6.0, NVML: 60.0}, 10: {RAPL: 2.0, NVML: 20.0}}


def test_request_gathers_energy_over_several_readings() -> None:
    """Beside a neighbour it pays half, alone all."""
    shares = measuring(RAPL)
    told: list[Joules] = []
    one, other = shares.begin(), shares.begin()
    one.add(5)
    other.add(5)
    shares.take({RAPL: 10.0})
    one.add(1)
    shares.take({RAPL: 7.0})

    shares.finish(one, told.append)

    assert told == [{RAPL: 12.0}]


def test_energy_without_tokens_waits_for_the_next_token() -> None:
    """A long prompt is read over several intervals and shows one token at the end."""
    shares = measuring(RAPL)
    told: list[Joules] = []
    share = shares.begin()
    shares.take({RAPL: 4.0})
    shares.take({RAPL: 4.0})
    share.add(900)
    shares.finish(share, told.append)
    shares.take({RAPL: 2.0})

    assert told == [{RAPL: 10.0}]


def test_energy_without_requests_is_nobodys() -> None:
    """Whoever comes after a quiet night does not pay for it."""
    shares = measuring(RAPL)
    told: list[Joules] = []
    shares.take({RAPL: 500.0})
    share = shares.begin()
    share.add(1)
    shares.finish(share, told.append)
    shares.take({RAPL: 3.0})

    assert told == [{RAPL: 3.0}]
    assert shares.idle_j == {RAPL: 500.0}


def test_without_meters_a_request_is_told_at_once_that_nothing_was_measured() -> None:
    """Then its energy is modelled."""
    shares = measuring()
    told: list[Joules] = []
    share = shares.begin()
    share.add(3)

    shares.finish(share, told.append)

    assert told == [{}]
    assert shares.label == "modelled"


def test_lost_meter_takes_back_what_it_gave() -> None:
    """A figure of one half of the time would be labelled as measured."""
    shares = measuring(RAPL, NVML)
    told: list[Joules] = []
    share = shares.begin()
    share.add(3)
    shares.take({RAPL: 1.0, NVML: 2.0})
    assert shares.label == "measured_nvml+measured_rapl"

    shares.lose(RAPL)
    share.add(1)
    shares.finish(share, told.append)
    shares.take({NVML: 5.0})

    assert told == [{NVML: 7.0}]
    assert shares.label == "measured_nvml"


def test_requests_that_wait_for_a_lost_meter_are_told_at_once() -> None:
    """No further reading comes."""
    shares = measuring(RAPL)
    told: list[Joules] = []
    share = shares.begin()
    share.add(3)
    shares.finish(share, told.append)

    shares.lose(RAPL)

    assert told == [{}]


def test_no_more_requests_wait_for_a_reading_than_may() -> None:
    """A meter that hangs must not gather every request of the night."""
    shares = measuring(RAPL, waiting_max=1)
    told: list[Joules] = []
    for _ in range(2):
        share = shares.begin()
        share.add(1)
        shares.finish(share, told.append)

    assert told == [{}]
    shares.take({RAPL: 6.0})
    assert told == [{}, {RAPL: 6.0}]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 3)),
        st.tuples(st.just("tokens"), st.integers(0, 50)),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("reading"), st.integers(0, 1000)),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_joule_is_one_requests_or_idle(steps: list[tuple[str, int]]) -> None:
    """Shares add up to what was read, and every request is told exactly once."""
    shares = measuring(RAPL, waiting_max=1000)
    running, told, begun, read = [], [], 0, 0
    for what, number in steps:
        if what == "begin":
            running.append(shares.begin())
            begun += 1
        elif what == "tokens" and running:
            running[number % len(running)].add(number)
        elif what == "end" and running:
            share = running.pop(number % len(running))
            shares.finish(share, lambda joules: told.append(joules[RAPL]))
        elif what == "reading":
            shares.take({RAPL: float(number)})
            read += number
    last = shares.begin()
    last.add(1)
    for share in [*running, last]:
        shares.finish(share, lambda joules: told.append(joules[RAPL]))
    shares.take({RAPL: 1.0})

    assert len(told) == begun + 1
    idle_j = shares.idle_j.get(RAPL, 0.0)
    assert sum(told) + idle_j == pytest.approx(read + 1)
