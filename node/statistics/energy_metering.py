"""Reads the machine's energy meters at intervals and hands what they say to the shares.

Decides when to read and what a failing meter means: it is not asked again, one line of
the log says so, and energy is modelled where no meter is left. Refuses to know how
energy is shared. Meters block, so they are read in threads, and each reading has a
deadline.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from federated_router.kit.clock import Clock
from federated_router.kit.log import get_logger
from node.statistics.energy_shares import EnergyShares
from node.statistics.energy_sources import EnergyMeter, EnergySource, MeterFailed

READ_TIMEOUT_S: Final = 5.0
"""A meter that takes longer has failed."""

log = get_logger("energy")
OpenMeter = Callable[[], EnergyMeter]
"""Returns a meter after its first look; raises MeterFailed where there is none."""


class EnergyMetering:
    """Opens meters in `opened`, reads them in `run`, every `interval_s`."""

    def __init__(
        self,
        meters: Mapping[EnergySource, OpenMeter],
        shares: EnergyShares,
        *,
        clock: Clock,
        interval_s: float,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._openers = meters
        self._shares = shares
        self._clock = clock
        self._interval_s = interval_s
        self._read_timeout_s = read_timeout_s
        self._meters: dict[EnergySource, EnergyMeter] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Measure until left, then read once more for requests that just ended."""
        for source, opener in self._openers.items():
            await self._open(source, opener)
        try:
            yield
        finally:
            await self.read()
            for source in tuple(self._meters):
                await self._close(source)

    async def run(self) -> None:
        """Read at every interval; never returns."""
        while True:
            await self._clock.sleep(self._interval_s)
            await self.read()

    async def read(self) -> None:
        """Share what was used since the last reading."""
        readings: dict[EnergySource, float] = {}
        for source, meter in tuple(self._meters.items()):
            try:
                async with asyncio.timeout(self._read_timeout_s):
                    readings[source] = await asyncio.to_thread(meter.read_j)
            except (MeterFailed, TimeoutError) as failure:
                self._meters.pop(source)
                self._shares.lose(source)
                self._say_failed(source, failure)
        if readings:
            self._shares.take(readings)

    async def _open(self, source: EnergySource, opener: OpenMeter) -> None:
        try:
            async with asyncio.timeout(self._read_timeout_s):
                self._meters[source] = await asyncio.to_thread(opener)
        except (MeterFailed, TimeoutError) as failure:
            log.info("energy not measured", source=source.value, cause=_cause(failure))
            return
        self._shares.use(source)
        log.info("energy measured", source=source.value)

    async def _close(self, source: EnergySource) -> None:
        meter = self._meters.pop(source)
        self._shares.lose(source)
        try:
            async with asyncio.timeout(self._read_timeout_s):
                await asyncio.to_thread(meter.close)
        except (MeterFailed, TimeoutError) as failure:
            self._say_failed(source, failure)

    def _say_failed(self, source: EnergySource, failure: Exception) -> None:
        log.warning(
            "energy meter failed", source=source.value, cause=_cause(failure),
            energy_source=self._shares.label,
        )  # fmt: skip


def _cause(failure: Exception) -> str:
    return str(failure) or "no answer in time"
