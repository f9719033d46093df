"""What a kilowatt hour carries in each region, as far as this router knows.

Decides who is believed: the file before the table, the table before the federation's
priors. Refuses to know how a file is read and what carbon is weighed against. A file
that makes no sense changes nothing, and one that nobody writes any more ends in time.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from federated_router.footprint.feed import FeedFile, FeedRefused, look, read_feed
from federated_router.footprint.metrics import CARBON_INTENSITY, FEED_LOOKS
from federated_router.footprint.settings import CarbonSettings
from federated_router.kit.clock import Clock
from federated_router.kit.log import get_logger

log = get_logger("carbon")
Table = Mapping[str, float]
Listener = Callable[[Table], None]
_NONE: Table = MappingProxyType({})


class Intensities:
    """Grams of CO2 equivalent per kWh, by region. Every method runs on the loop."""

    def __init__(self, settings: CarbonSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._told: Table = _NONE
        self._believed: Table = _NONE
        self._seen: FeedFile | None = None
        self._listeners: list[Listener] = []
        self._current = self._merged()
        _show(_NONE, self._current)

    @property
    def current(self) -> Table:
        """Return what is known now; it is never changed, only replaced."""
        return self._current

    def of(self, region: str) -> float | None:
        """Return a region's intensity; None where nobody knows it."""
        return self._current.get(region)

    def on_change(self, listener: Listener) -> None:
        """Call `listener` with `current`, now and whenever it changes."""
        self._listeners.append(listener)
        listener(self._current)

    def believe(self, carbon: Table) -> None:
        """Take what the federation's priors say of regions from now on."""
        self._believed = MappingProxyType(dict(carbon))
        self._change()

    async def run(self) -> None:
        """Look at the file for ever; without one there is nothing to do."""
        while True:
            await self.look()
            await self._clock.sleep(self._settings.feed_interval_s)

    async def look(self) -> None:
        """Read the file if it changed, within the time for it; what fails is told."""
        path = self._settings.feed
        if path is None:
            return
        try:
            async with asyncio.timeout(self._settings.feed_timeout_s):
                seen = await asyncio.to_thread(look, path)
                if self._seen is None or seen.mark != self._seen.mark:
                    self._told = await asyncio.to_thread(
                        read_feed, path, self._settings, now_s=self._clock.now_s()
                    )
                    self._seen = seen
                    log.info("carbon feed read", regions=len(self._told))
            FEED_LOOKS.labels("good").inc()
        except (FeedRefused, OSError, TimeoutError) as failure:
            FEED_LOOKS.labels("failed").inc()
            log.warning("carbon feed not read", cause=_cause(failure))
        self._forget_old()
        self._change()

    def _forget_old(self) -> None:
        """Believe the file no more once nobody wrote it for too long."""
        if self._seen is None or not self._told:
            return
        if self._clock.now_s() - self._seen.written_s > self._settings.feed_age_max_s:
            log.warning("carbon feed too old", age_max_s=self._settings.feed_age_max_s)
            self._told = _NONE

    def _merged(self) -> Table:
        return MappingProxyType(
            {**self._believed, **self._settings.intensities, **self._told}
        )

    def _change(self) -> None:
        merged = self._merged()
        if merged == self._current:
            return
        _show(self._current, merged)
        self._current = merged
        for listener in self._listeners:
            listener(merged)


def _show(before: Table, now: Table) -> None:
    """Put what is known into the metrics, and take out what is not any more."""
    for region in before.keys() - now.keys():
        with suppress(KeyError):  # Another router of this process may have done so.
            CARBON_INTENSITY.remove(region)
    for region, intensity in now.items():
        CARBON_INTENSITY.labels(region).set(intensity)


def _cause(failure: Exception) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure) or "no answer in time"
