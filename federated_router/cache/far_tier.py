"""A tier that is waited for: bounded, and left alone for a while after it failed.

Decides that no trouble of a store is ever an error of a request: what it does not
answer in time is a miss, and what it cannot take in time is not kept. Refuses to know
what kind of store it is.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from federated_router.cache.entries import Place
from federated_router.cache.metrics import BYTES, FAILURES
from federated_router.cache.settings import FarSettings
from federated_router.cache.store import AnswerStore, StoreDown
from federated_router.kit.clock import Clock
from federated_router.kit.log import get_logger

CLOSE_TIMEOUT_S: Final = 5.0

log = get_logger("cache")


@dataclass(frozen=True, slots=True)
class _Write:
    place: Place
    sealed: bytes


class _Refused(Exception):
    """The store was not asked, or did not do it."""


class FarTier:
    """One store, behind limits and a breaker.

    After a failure nobody asks the store until `pause_s` is over; then one caller does,
    and the others go on without it until that one knows.
    """

    def __init__(self, store: AnswerStore, settings: FarSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._paused_until_s: float | None = None
        self._looking = 0
        self._writes: deque[_Write] = deque()
        self._waiting_bytes = 0
        self._something = asyncio.Event()
        self._failures = 0

    @property
    def name(self) -> str:
        """The tier's name in metrics and figures."""
        return self._store.tier

    @property
    def bytes_held(self) -> int:
        """What its answers count, as far as this process knows."""
        return self._store.bytes_held

    @property
    def failures(self) -> int:
        """Look-ups and writes that it did not do, whatever the cause."""
        return self._failures

    async def find(self, place: Place) -> bytes | None:
        """Return what is kept in a place; None as well where the store is no help."""
        if self._looking >= self._settings.lookups_max:
            self.failed("busy")
            return None
        self._looking += 1
        try:
            async with self._asked():
                return await self._store.find(place, now_s=self._clock.now_s())
        except _Refused:
            return None
        finally:
            self._looking -= 1

    def keep(self, place: Place, sealed: bytes) -> None:
        """Have an answer written soon; leave it out where too much waits already."""
        if self._waiting_bytes + len(sealed) > self._settings.waiting_bytes_max:
            self.failed("dropped")
            return
        self._writes.append(_Write(place, sealed))
        self._waiting_bytes += len(sealed)
        self._something.set()

    async def forget(self, place: Place) -> None:
        """Delete what is in a place, as far as the store can be asked."""
        try:
            async with self._asked():
                await self._store.forget(place)
        except _Refused:
            return

    async def sweep(self) -> None:
        """Delete what has expired, as far as the store can be asked."""
        try:
            async with self._asked():
                await self._store.sweep(now_s=self._clock.now_s())
        except _Refused:
            return
        BYTES.labels(self.name).set(self.bytes_held)

    async def write_for_ever(self) -> None:
        """Write what waits, one after the other."""
        while True:
            await self._something.wait()
            await self._write_waiting()

    async def close(self) -> None:
        """Write what still waits, then close; give up after a few seconds."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._write_waiting()
                await self._store.close()
        except (TimeoutError, StoreDown) as error:
            log.warning("cache closed with a failure", tier=self.name, cause=str(error))

    def failed(self, cause: str) -> None:
        """Count something that the tier did not do."""
        self._failures += 1
        FAILURES.labels(self.name, cause).inc()

    async def _write_waiting(self) -> None:
        while self._writes:
            write = self._writes.popleft()
            self._waiting_bytes -= len(write.sealed)
            await self._write(write)
        self._something.clear()

    async def _write(self, write: _Write) -> None:
        try:
            async with self._asked():
                now_s = self._clock.now_s()
                await self._store.keep(write.place, write.sealed, now_s=now_s)
        except _Refused:
            return
        BYTES.labels(self.name).set(self.bytes_held)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Let the store be asked within its time; raise _Refused for any trouble."""
        now_s = self._clock.monotonic_s()
        if self._paused_until_s is not None:
            if now_s < self._paused_until_s:
                self.failed("paused")
                raise _Refused
            # This caller finds out; the others wait for what it finds.
            self._paused_until_s = now_s + self._settings.pause_s
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                yield
        except (TimeoutError, StoreDown) as error:
            self._pause(error)
            raise _Refused from None
        self._paused_until_s = None

    def _pause(self, error: Exception) -> None:
        self.failed("unavailable")
        if self._paused_until_s is None:
            log.warning("cache tier left alone", tier=self.name, cause=str(error))
        self._paused_until_s = self._clock.monotonic_s() + self._settings.pause_s
