"""Timing of requests at a node."""

from dataclasses import replace

import pytest

from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.kit.clock import ManualClock
from federated_router.priors.buckets import bucket_index
from federated_router.priors.contents import CarbonSums, Cell
from node.engine.pieces import FinishReason
from node.statistics.costs import ModelCosts
from node.statistics.endings import Ending, TokenCounts
from node.statistics.energy_sources import EnergySource
from node.statistics.latency import latency_ms_per_token
from node.statistics.modes import LatencyModes
from node.statistics.recorder import RequestRecorder
from node.statistics.timing import RequestTiming
from tests.support.some_users import limited, user

CELL = Cell("models/a", "eu")


def answer(timing: RequestTiming, *, tokens: int) -> None:
    """End a request with its only piece."""
    timing.progress(TokenCounts(output=tokens), finish=FinishReason.LENGTH)
    timing.answer()


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

    answer(timing, tokens=100)

    bucket = bucket_index(statistics.latency_bounds_ms, 20.0)
    assert statistics.pending().cells[CELL].latency_counts[bucket] == 1


async def test_request_counts_once_however_often_it_ends(
    recorder: RequestRecorder, statistics: Statistics, clock: ManualClock
) -> None:
    """A stream may be cancelled after its last token and fail in its clean-up."""
    timing = recorder.begin("models/a")
    await clock.advance(1.0)

    answer(timing, tokens=10)
    timing.fail(FailureCause.ENGINE)
    timing.cancel()
    answer(timing, tokens=10)

    assert statistics.pending().requests == 1
    assert timing.ending is Ending.LENGTH


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


def costly(
    statistics: Statistics, clock: ManualClock, modes: LatencyModes | None = None
) -> RequestRecorder:
    """Return a recorder of a premium model that costs and draws something."""
    return RequestRecorder(
        region="eu",
        statistics=statistics,
        clock=clock,
        costs={"models/a": ModelCosts("premium", token_price=0.0001, power_w=40.0)},
        carbon_g_per_kwh=320.0,
        modes=modes,
    )


async def test_answer_counts_tokens_cost_energy_and_carbon_in_steps(
    statistics: Statistics, clock: ManualClock
) -> None:
    """48 tokens in 2 s at 40 W: 3 x 16 tokens, 48 x 0.0001, 10 x 8 J, 20 x 16 g/kWh."""
    timing = costly(statistics, clock).begin("models/a")
    await clock.advance(2.0)

    answer(timing, tokens=48)

    contents = statistics.pending().over(statistics.latency_bounds_ms)
    counts = contents.performance[Cell("models/a", "eu", "premium")]
    assert (counts.tokens, counts.cost, counts.energy) == (3, 48, 10)
    assert contents.carbon == {"eu": CarbonSums(1, 20)}


def test_energy_without_a_meter_is_modelled_by_watts_or_else_by_tokens() -> None:
    """What the router is told of a token, and what is counted, are then one figure."""
    counts = TokenCounts(prompt=30, cached=10, output=8)
    tokens = ModelCosts(prompt_token_j=0.25, token_j=0.5)
    both = replace(tokens, power_w=40.0)
    meter = {EnergySource.MEASURED_RAPL: 3.0}

    assert tokens.energy_j({}, duration_s=2.0, counts=counts) == {
        EnergySource.MODELLED: 20 * 0.25 + 8 * 0.5
    }
    assert both.energy_j({}, duration_s=2.0, counts=counts) == {
        EnergySource.MODELLED: 80.0
    }
    assert both.energy_j(meter, duration_s=2.0, counts=counts) == meter


async def test_private_answers_are_counted_in_a_tier_of_their_own(
    statistics: Statistics, clock: ManualClock
) -> None:
    """They take many times as long; mixed in, they would spoil both figures."""
    recorder = costly(statistics, clock)

    answer(recorder.begin("models/a", private=True), tokens=1)

    assert set(statistics.pending().cells) == {Cell("models/a", "eu", "private")}


async def test_node_fills_no_block_that_routers_fill(
    statistics: Statistics, clock: ManualClock
) -> None:
    """One request enters each block at one member only."""
    recorder = costly(statistics, clock)
    answer(recorder.begin("models/a"), tokens=1)
    recorder.begin("models/a").fail(FailureCause.ENGINE)

    contents = statistics.pending().over(statistics.latency_bounds_ms)

    assert contents.patterns == {}
    assert contents.bandits == {}


async def test_requests_of_one_user_are_clipped_however_they_end(
    clock: ManualClock,
) -> None:
    """Failures move a sum as answers do."""
    statistics = limited(2)
    recorder = RequestRecorder(region="eu", statistics=statistics, clock=clock)

    answer(recorder.begin("models/a", user=user(1)), tokens=1)
    recorder.begin("models/a", user=user(1), private=True).fail(FailureCause.ENGINE)
    answer(recorder.begin("models/a", user=user(1)), tokens=1)

    assert statistics.pending().requests == 2
    assert statistics.balance().clipped == 1


async def test_latencies_of_answers_are_sampled_for_the_operator(
    statistics: Statistics, clock: ManualClock
) -> None:
    """Failures have no latency."""
    modes = LatencyModes(samples_max=100)
    recorder = costly(statistics, clock, modes)
    for _ in range(50):
        answer(recorder.begin("models/a"), tokens=1)
    recorder.begin("models/a").fail(FailureCause.ENGINE)

    assert [shape.samples for shape in modes.shapes()] == [50, 50]
