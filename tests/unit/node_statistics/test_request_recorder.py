"""Timing of requests at a node."""

import pytest

from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.kit.clock import ManualClock
from federated_router.priors.catalogue import Cell, bucket_index
from node.statistics.latency import latency_ms_per_token
from node.statistics.recorder import RequestRecorder, RequestState

CELL = Cell("models/a", "eu")


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def statistics() -> Statistics:
    """Return empty statistics."""
    return Statistics()


@pytest.fixture
def recorder(statistics: Statistics, clock: ManualClock) -> RequestRecorder:
    """Return a recorder in the eu."""
    return RequestRecorder(region="eu", statistics=statistics, clock=clock)


async def test_answer_counts_in_the_bucket_of_its_time_per_token(
    recorder: RequestRecorder, statistics: Statistics, clock: ManualClock
) -> None:
    """Two seconds for a hundred tokens are 20 ms per token."""
    timing = recorder.begin("models/a")
    await clock.advance(2.0)

    timing.answer(tokens=100)

    bucket = bucket_index(statistics.latency_bounds_ms, 20.0)
    assert statistics.pending().cells[CELL].latency_counts[bucket] == 1


async def test_request_counts_once_however_often_it_ends(
    recorder: RequestRecorder, statistics: Statistics, clock: ManualClock
) -> None:
    """A stream may be cancelled after its last token and fail in its clean-up."""
    timing = recorder.begin("models/a")
    await clock.advance(1.0)

    timing.answer(tokens=10)
    timing.fail(FailureCause.ENGINE)
    timing.cancel()
    timing.answer(tokens=10)

    assert statistics.pending().requests == 1
    assert timing.state is RequestState.ANSWERED


def test_cancelled_request_does_not_count(
    recorder: RequestRecorder, statistics: Statistics
) -> None:
    """The client's impatience is not the node's failure."""
    recorder.begin("models/a").cancel()

    assert statistics.pending().requests == 0


def test_failure_counts_with_its_cause(
    recorder: RequestRecorder, statistics: Statistics
) -> None:
    """Operators see causes; rounds see one count."""
    recorder.begin("models/a").fail(FailureCause.OUT_OF_MEMORY)

    assert statistics.pending().cells[CELL].failures == 1
    assert statistics.failures_by_cause() == {FailureCause.OUT_OF_MEMORY: 1}


def test_answer_without_a_token_counts_as_one() -> None:
    """The model ran once to find the end."""
    assert latency_ms_per_token(duration_s=0.25, tokens=0) == 250.0


def test_clock_that_goes_back_gives_no_negative_latency() -> None:
    """A latency below zero would be refused, and the request lost."""
    assert latency_ms_per_token(duration_s=-1.0, tokens=3) == 0.0
