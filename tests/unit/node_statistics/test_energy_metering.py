"""Reading meters at intervals, and what becomes of those that fail."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog
from structlog.testing import capture_logs

from federated_router.kit.clock import ManualClock
from node.statistics import energy_metering
from node.statistics.energy_metering import EnergyMetering
from node.statistics.energy_shares import EnergyShares, Joules
from node.statistics.energy_sources import EnergyMeter, EnergySource, MeterFailed
from tests.unit.node_statistics.scripted_meters import ScriptedMeter

RAPL, NVML = EnergySource.MEASURED_RAPL, EnergySource.MEASURED_NVML


def metering(
    shares: EnergyShares, *meters: ScriptedMeter, read_timeout_s: float = 5.0
) -> EnergyMetering:
    """Return the metering of these meters, with a clock that stands still."""
    return EnergyMetering(
        {meter.source: _opened(meter) for meter in meters},
        shares,
        clock=ManualClock(),
        interval_s=1.0,
        read_timeout_s=read_timeout_s,
    )


def _opened(meter: EnergyMeter) -> Callable[[], EnergyMeter]:
    return lambda: meter


def ended(shares: EnergyShares) -> list[Joules]:
    """End a request of one token; return where it is told its joules."""
    told: list[Joules] = []
    share = shares.begin()
    share.add(1)
    shares.finish(share, told.append)
    return told


async def test_meters_are_read_at_every_interval() -> None:
    """The clock is the node's; a counter that runs round must be seen in time."""
    shares, clock = EnergyShares(waiting_max=8), ManualClock()
    meter = ScriptedMeter([1.0, 2.0, 3.0])
    made = EnergyMetering({RAPL: lambda: meter}, shares, clock=clock, interval_s=2.0)

    async with made.opened():
        running = asyncio.create_task(made.run())
        await asyncio.sleep(0)
        for count in (1, 2):
            await clock.advance(2.0)
            async with asyncio.timeout(30):
                while len(meter.read) < count:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
        running.cancel()

    assert meter.read == [1.0, 2.0, 3.0]
    assert meter.closed


async def test_last_requests_get_the_reading_at_the_end() -> None:
    """A node that stops tells those who ended since the last interval."""
    shares = EnergyShares(waiting_max=8)
    async with metering(shares, ScriptedMeter([9.0])).opened():
        told = ended(shares)

    assert told == [{RAPL: 9.0}]


@pytest.fixture
def _own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log by a logger that no daemon of another test has bound to a screen."""
    monkeypatch.setattr(energy_metering, "log", structlog.get_logger())


@pytest.mark.usefixtures("_own_log")
async def test_failing_meter_is_said_once_and_energy_is_modelled() -> None:
    """An operator must learn of it, and not once a second."""
    shares = EnergyShares(waiting_max=8)
    meter = ScriptedMeter([MeterFailed("energy_uj cannot be read: gone")])
    with capture_logs() as lines:
        made = metering(shares, meter)
        async with made.opened():
            told = ended(shares)
            await made.read()
            await made.read()
            assert shares.label == "modelled"

    failed = [line for line in lines if line["event"] == "energy meter failed"]
    assert told == [{}]
    assert len(failed) == 1
    assert failed[0]["source"] == "measured_rapl"
    assert "gone" in failed[0]["cause"]


async def test_other_meter_goes_on_when_one_fails() -> None:
    """Accelerators are still measured where the processor no longer is."""
    shares = EnergyShares(waiting_max=8)
    processor = ScriptedMeter([MeterFailed("gone")])
    accelerator = ScriptedMeter([4.0, 0.0], source=NVML)
    made = metering(shares, processor, accelerator)

    async with made.opened():
        told = ended(shares)
        await made.read()

    assert told == [{NVML: 4.0}]


@pytest.mark.usefixtures("_own_log")
async def test_machine_without_meters_serves_all_the_same() -> None:
    """What cannot be measured is modelled, and said in one line."""
    shares = EnergyShares(waiting_max=8)

    def absent() -> EnergyMeter:
        raise MeterFailed("no package of a processor")

    made = EnergyMetering({RAPL: absent}, shares, clock=ManualClock(), interval_s=1.0)
    with capture_logs() as lines:
        async with made.opened():
            assert ended(shares) == [{}]

    assert [line["event"] for line in lines] == ["energy not measured"]


@contextmanager
def held() -> Iterator[threading.Event]:
    """Yield an event that is set at the end, so that no thread stays."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


async def test_meter_that_hangs_has_failed() -> None:
    """A driver that never answers keeps neither requests nor the node's end waiting."""
    shares = EnergyShares(waiting_max=8)
    with held() as release:

        class Hanging(ScriptedMeter):
            """Answers when the test is over."""

            def read_j(self) -> float:
                """Hang."""
                release.wait()
                return 0.0

        made = metering(shares, Hanging([]), read_timeout_s=0.05)
        async with made.opened():
            told = ended(shares)
            async with asyncio.timeout(30):
                await made.read()

    assert told == [{}]


async def test_reading_does_not_hold_up_the_event_loop() -> None:
    """A slow counter runs in a thread."""
    shares = EnergyShares(waiting_max=8)
    with held() as release:

        class Slow(ScriptedMeter):
            """Answers once it is let go."""

            def read_j(self) -> float:
                """Wait for the loop to go on."""
                assert release.wait(30)
                return 1.0

        made = metering(shares, Slow([]))
        async with made.opened():
            reading = asyncio.create_task(made.read())
            await asyncio.sleep(0)
            release.set()
            await reading
            assert shares.idle_j == pytest.approx({RAPL: 1.0})
