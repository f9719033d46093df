"""The breaker's life, told event by event; properties are in the machine's own test."""

from itertools import pairwise

import pytest

from federated_router.proxy.breaker import (
    Breaker,
    BreakerSettings,
    BreakerState,
    Outcome,
)

SETTINGS = BreakerSettings(
    failures_max=3,
    window_s=10.0,
    requests_min=10,
    failure_ratio_max=0.5,
    open_s=1.0,
    open_s_max=8.0,
    open_jitter=0.5,
    probes_max=2,
    probes_to_close=2,
)


def ended(
    breaker: Breaker, outcome: Outcome, now_s: float, *, jitter: float = 0.0
) -> BreakerState:
    """Send a request that ends at once."""
    return breaker.end(breaker.begin(now_s), outcome, now_s, jitter=jitter)


def opened(now_s: float = 0.0) -> Breaker:
    """Return a breaker that has just opened for a second."""
    breaker = Breaker(SETTINGS)
    for _ in range(SETTINGS.failures_max):
        ended(breaker, Outcome.FAILED, now_s)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    """The third is one too many; a success between them starts anew."""
    breaker = Breaker(SETTINGS)
    outcomes = [Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED, Outcome.FAILED]
    before = [ended(breaker, one, 0.0) for one in outcomes]

    after = [ended(breaker, Outcome.FAILED, 0.0) for _ in range(2)]

    assert set(before) == {BreakerState.CLOSED}
    assert after == [BreakerState.CLOSED, BreakerState.OPEN]
    assert not breaker.admits(0.99)


def test_share_of_failures_opens_it_once_there_are_enough_requests() -> None:
    """Every second request fails, which never is three in a row."""
    breaker = Breaker(SETTINGS)
    outcomes = [Outcome.SUCCEEDED, Outcome.FAILED] * 5

    states = [ended(breaker, one, 0.1 * at) for at, one in enumerate(outcomes)]

    assert states == [BreakerState.CLOSED] * 9 + [BreakerState.OPEN]


def test_old_marks_expire() -> None:
    """Failures further apart than the window are not in a row, and no share."""
    breaker = Breaker(SETTINGS)

    states = {ended(breaker, Outcome.FAILED, 12.0 * at) for at in range(20)}

    assert states == {BreakerState.CLOSED}


def test_open_time_over_lets_a_limited_number_of_probes_through() -> None:
    """Two at once, and another when one of them has ended without saying anything."""
    breaker = opened()

    epochs = [breaker.begin(1.0) for _ in range(2)]
    refused = breaker.admits(1.0)
    breaker.end(epochs[0], Outcome.UNKNOWN, 1.1, jitter=0.0)

    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    assert not refused
    assert breaker.admits(1.1)


def test_probes_that_succeed_close_it() -> None:
    """Two good ones; then it takes three failures again."""
    breaker = opened()
    states = [ended(breaker, Outcome.SUCCEEDED, 1.0) for _ in range(2)]

    ended(breaker, Outcome.FAILED, 1.0)
    ended(breaker, Outcome.FAILED, 1.0)

    assert states == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert breaker.state(1.0) is BreakerState.CLOSED


def test_failed_probe_opens_it_for_longer_up_to_a_limit() -> None:
    """One second, two, four, eight, and never more."""
    breaker, now_s = opened(), 0.0
    lasted: list[float] = []
    for _ in range(6):
        until_s = breaker.open_until_s
        assert until_s is not None
        lasted.append(until_s - now_s)
        now_s = until_s
        ended(breaker, Outcome.FAILED, now_s)

    assert lasted == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_jitter_only_shortens() -> None:
    """Routers do not probe together, and none waits for longer than configured."""
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        ended(breaker, Outcome.FAILED, 0.0, jitter=0.5)

    assert breaker.open_until_s == pytest.approx(0.75)


def test_request_of_an_earlier_state_judges_nothing() -> None:
    """It was sent when things were otherwise, and says nothing of now."""
    breaker = Breaker(SETTINGS)
    early = [breaker.begin(0.0) for _ in range(8)]
    for epoch in early[:3]:
        breaker.end(epoch, Outcome.FAILED, 0.0, jitter=0.0)
    probe = breaker.begin(1.0)
    for epoch, outcome in zip(
        early[3:5], (Outcome.SUCCEEDED, Outcome.FAILED), strict=True
    ):
        breaker.end(epoch, outcome, 1.0, jitter=0.0)

    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    breaker.end(probe, Outcome.SUCCEEDED, 1.0, jitter=0.0)
    assert breaker.state(1.0) is BreakerState.HALF_OPEN


def test_endless_failure_is_probed_for_ever() -> None:
    """No mark lasts: the next probe is never further away than the limit."""
    breaker = opened()
    times: list[float] = [0.0]
    for _ in range(2000):
        now_s = breaker.open_until_s
        assert now_s is not None
        times.append(now_s)
        ended(breaker, Outcome.FAILED, now_s)

    assert max(after - before for before, after in pairwise(times)) <= 8.0
