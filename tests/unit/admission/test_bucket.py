"""Token buckets: what may be taken when, to the unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.admission.bucket import (
    CLOCK_MARGIN_NS,
    Buckets,
    Measure,
    Rate,
    Want,
    give_back,
    take,
)

SECOND_NS = 1_000_000_000
NOW_NS = 1_700_000_000 * SECOND_NS
rates = st.builds(
    Rate,
    st.just(Measure.TOKENS),
    st.integers(1, 1_000_000),
    st.floats(1.0, 120.0),
)


def want(rate: Rate, least: int, most: int | None = None) -> list[Want]:
    """Return one want."""
    return [Want(rate, least, least if most is None else most)]


def test_a_new_bucket_is_full_and_an_empty_one_says_when_to_return() -> None:
    """60 a minute, all saved up: the 61st waits a second."""
    rate = Rate(Measure.REQUESTS, 60, burst_s=60.0)
    buckets, taken = take({}, want(rate, 1, 100), NOW_NS)
    assert taken.units == {Measure.REQUESTS: 60}

    _, refused = take(buckets, want(rate, 1), NOW_NS)
    assert refused.units == {}
    assert refused.retry_after_s == pytest.approx(1.0)
    _, later = take(buckets, want(rate, 1), NOW_NS + SECOND_NS)
    assert later.units == {Measure.REQUESTS: 1}


def test_of_two_buckets_both_are_taken_from_or_neither() -> None:
    """A request that lacks tokens has not used a request up."""
    requests = Rate(Measure.REQUESTS, 60, 60.0)
    tokens = Rate(Measure.TOKENS, 100, 60.0)

    buckets, taken = take({}, [Want(requests, 1, 1), Want(tokens, 101, 101)], NOW_NS)
    after, rest = take(buckets, want(requests, 60), NOW_NS)

    assert taken.lacking is Measure.TOKENS
    assert rest.units == {Measure.REQUESTS: 60}
    assert after[Measure.REQUESTS] > NOW_NS


@given(
    rate=rates,
    steps=st.lists(
        st.tuples(st.integers(0, 30 * SECOND_NS), st.integers(1, 5000)), max_size=60
    ),
)
def test_in_no_interval_more_is_taken_than_the_rate_and_what_was_saved_up(
    rate: Rate, steps: list[tuple[int, int]]
) -> None:
    """Between any two takes at most burst + rate times the time between them."""
    buckets: Buckets = {}
    now_ns = NOW_NS
    log: list[tuple[int, int]] = []
    for pause_ns, most in steps:
        now_ns += pause_ns
        buckets, taken = take(buckets, want(rate, 1, most), now_ns)
        log.append((now_ns, taken.units.get(Measure.TOKENS, 0)))

    for first, (start_ns, _) in enumerate(log):
        total = 0
        for end_ns, units in log[first:]:
            total += units
            allowed_ns = rate.burst_ns + end_ns - start_ns
            assert total * 60 * SECOND_NS <= allowed_ns * rate.per_minute


@given(
    per_minute=st.integers(1, 10_000_000_000),
    units=st.lists(st.integers(1, 100), max_size=50),
)
def test_rounding_never_gives_more(per_minute: int, units: list[int]) -> None:
    """Taken one by one, units take at least as long as the rate says."""
    rate = Rate(Measure.TOKENS, per_minute, 60.0)

    taken_ns = sum(rate.time_ns(one) for one in units)

    assert taken_ns * per_minute >= sum(units) * 60 * SECOND_NS


@given(rate=rates, units=st.integers(1, 10_000))
def test_whoever_returns_when_told_is_served(rate: Rate, units: int) -> None:
    """RetryInfo is no guess: not too late, and at most a microsecond too early."""
    units = min(units, max(1, rate.units_max))
    buckets, _ = take({}, want(rate, 1, 10**9), NOW_NS)

    _, refused = take(buckets, want(rate, units), NOW_NS)
    then_ns = NOW_NS + int(refused.retry_after_s * SECOND_NS) + 1000
    _, served = take(buckets, want(rate, units), then_ns)

    if rate.units_max >= units:
        assert served.units == {Measure.TOKENS: units}


@given(
    rate=rates,
    takes=st.lists(st.integers(1, 1000), min_size=1, max_size=20),
    unspent=st.floats(0, 1),
)
def test_what_is_given_back_can_be_taken_again_and_not_more(
    rate: Rate, takes: list[int], unspent: float
) -> None:
    """At one moment, units spent never exceed what the bucket held."""
    buckets: Buckets = {}
    spent = 0
    for most in takes:
        buckets, taken = take(buckets, want(rate, 1, most), NOW_NS)
        units = taken.units.get(Measure.TOKENS, 0)
        back = int(units * unspent)
        buckets = give_back(buckets, {rate: back})
        spent += units - back

    _, rest = take(buckets, want(rate, 1, 10**9), NOW_NS)

    assert spent + rest.units.get(Measure.TOKENS, 0) <= rate.units_max


def test_a_bucket_that_a_wrong_clock_moved_recovers() -> None:
    """An hour ahead must not mean an hour of refusals."""
    rate = Rate(Measure.REQUESTS, 60, 60.0)
    ahead_ns = NOW_NS + 3600 * SECOND_NS
    assert ahead_ns > NOW_NS + rate.burst_ns + CLOCK_MARGIN_NS

    buckets, refused = take({Measure.REQUESTS: ahead_ns}, want(rate, 1), NOW_NS)
    _, later = take(buckets, want(rate, 1), NOW_NS + 2 * SECOND_NS)

    assert refused.retry_after_s == pytest.approx(1.0)
    assert later.units == {Measure.REQUESTS: 1}
