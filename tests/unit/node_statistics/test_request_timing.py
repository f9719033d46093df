"""When a request's tokens come, and what its clock leaves out."""

import pytest

from federated_router.federation.records import FailureCause
from federated_router.kit.clock import ManualClock
from node.engine.pieces import FinishReason
from node.statistics.endings import Ending, TokenCounts
from node.statistics.energy_shares import EnergyShares
from node.statistics.energy_sources import EnergySource
from node.statistics.timing import Joules, RequestTiming, TimedRequest

RAPL = EnergySource.MEASURED_RAPL


class Told:
    """A clock, shares of a meter, and what every ending was told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.shares = EnergyShares(waiting_max=8)
        self.ended: list[tuple[TimedRequest, Joules]] = []

    def begin(self, *, private: bool = False) -> RequestTiming:
        """Begin a request now."""
        return RequestTiming(
            now_s=self.clock.monotonic_s,
            ended=lambda *told: self.ended.append(told),
            shares=self.shares,
            private=private,
        )

    @property
    def only(self) -> TimedRequest:
        """Return the one request that ended."""
        ((timed, _),) = self.ended
        return timed


@pytest.fixture
def told() -> Told:
    """Return a clock that stands still."""
    return Told()


async def test_first_token_and_those_after_it_are_timed_apart(told: Told) -> None:
    """0.5 s to the first, then four more in 2 s; 0.1 s later the stream ends."""
    timing = told.begin()
    await told.clock.advance(0.5)
    timing.progress(TokenCounts(prompt=7, output=1))
    await told.clock.advance(2.0)
    timing.progress(TokenCounts(prompt=7, cached=3, output=5), finish=FinishReason.STOP)
    await told.clock.advance(0.1)

    timing.answer()

    assert told.only.ending is Ending.STOP
    assert told.only.counts == TokenCounts(prompt=7, cached=3, output=5)
    assert told.only.time_to_first_token_s == pytest.approx(0.5)
    assert told.only.time_per_output_token_s == pytest.approx(0.5)
    assert told.only.duration_s == pytest.approx(2.6)


async def test_single_token_has_no_time_per_further_one(told: Told) -> None:
    """Zero would pull the percentiles down."""
    timing = told.begin()
    timing.progress(TokenCounts(output=1), finish=FinishReason.END)
    timing.answer()

    assert told.only.time_per_output_token_s is None
    assert told.only.time_to_first_token_s == 0.0


async def test_request_that_failed_before_its_first_token_has_no_time_to_it(
    told: Told,
) -> None:
    """Nor does the wait for a token that never came count as one."""
    timing = told.begin()
    await told.clock.advance(3.0)

    timing.fail(FailureCause.DEADLINE)

    assert told.only.ending is Ending.DEADLINE
    assert told.only.time_to_first_token_s is None


def test_answer_needs_a_last_piece(told: Told) -> None:
    """A stream that just stopped is no whole answer."""
    timing = told.begin()
    timing.progress(TokenCounts(output=1))

    with pytest.raises(ValueError, match="whole"):
        timing.answer()


@pytest.mark.parametrize("layout_s", [0.0, 0.3, 60.0])
async def test_laying_out_private_rows_takes_no_time(
    told: Told, layout_s: float
) -> None:
    """How long records are read takes as long as they are: that must not be told."""
    timing = told.begin(private=True)
    await told.clock.advance(layout_s)
    timing.rows_laid_out(rows=5, row_tokens=16)
    await told.clock.advance(1.0)
    timing.progress(TokenCounts(prompt=4, output=1), finish=FinishReason.END)
    timing.answer()

    assert told.only.duration_s == pytest.approx(1.0)
    assert told.only.time_to_first_token_s == pytest.approx(1.0)


async def test_private_request_without_rows_took_no_time(told: Told) -> None:
    """It is refused or cancelled while records are read."""
    timing = told.begin(private=True)
    await told.clock.advance(2.0)

    timing.cancel()

    assert told.only.duration_s == 0.0


def test_private_work_is_that_of_its_public_shape(told: Told) -> None:
    """Five rows of 16 and two tokens each, beside a public request of 90 tokens."""
    told.shares.use(RAPL)
    private, public = told.begin(private=True), told.begin()
    private.rows_laid_out(rows=5, row_tokens=16)
    private.progress(TokenCounts(prompt=4, output=1))
    private.progress(TokenCounts(prompt=4, output=2), finish=FinishReason.LENGTH)
    public.progress(TokenCounts(prompt=100, cached=20, output=10))
    private.answer()
    public.cancel()

    told.shares.take({RAPL: 180.0})

    joules = {timed.ending: measured[RAPL] for timed, measured in told.ended}
    assert joules == pytest.approx({Ending.LENGTH: 90.0, Ending.CANCELLED: 90.0})


def test_ending_is_told_once_with_the_reading_that_covers_it(told: Told) -> None:
    """Later endings change nothing, and the figures are those of the first."""
    told.shares.use(RAPL)
    timing = told.begin()
    timing.progress(TokenCounts(output=1), finish=FinishReason.END)
    timing.answer()
    timing.fail(FailureCause.ENGINE)
    timing.refuse()
    assert told.ended == []

    told.shares.take({RAPL: 2.0})
    told.shares.take({RAPL: 2.0})

    assert told.only.ending is Ending.END
    assert told.ended[0][1] == {RAPL: 2.0}
