"""The newest of something, for any number of watchers up to a limit.

Decides when a watcher is woken and that a slow one misses what is no longer true
instead of queueing it. Refuses to know what is watched.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Generic, TypeVar

from federated_router.kit.clock import Clock
from federated_router.kit.errors import Draining, LimitReached

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How many watch, and how often they hear something.

    `progress_s` is the longest delay of a change that wakes nobody;
    `sign_of_life_s` is the longest silence.
    """

    watchers_max: int
    progress_s: float
    sign_of_life_s: float


class Newest(Generic[T]):
    """Holds one value. `put` wakes every watcher at once, `amend` within progress_s."""

    def __init__(self, limits: WatchLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._value: T | None = None
        self._serial = 0
        self._closed = False
        self._watchers: set[asyncio.Event] = set()

    @property
    def value(self) -> T | None:
        """Return the newest value; None before the first."""
        return self._value

    @property
    def watchers(self) -> int:
        """Return how many watch."""
        return len(self._watchers)

    def put(self, value: T) -> None:
        """Replace the value and wake every watcher."""
        self.amend(value)
        for wake in self._watchers:
            wake.set()

    def amend(self, value: T) -> None:
        """Replace the value; watchers notice within `progress_s`."""
        self._value = value
        self._serial += 1

    def close(self) -> None:
        """End every watch with Draining, and refuse new ones likewise."""
        self._closed = True
        for wake in self._watchers:
            wake.set()

    def reopen(self) -> None:
        """Let watchers in again."""
        self._closed = False

    async def watch(self, *, progress: bool = True) -> AsyncGenerator[T | None, None]:
        """Yield the newest value at once, after changes, and as a sign of life.

        Without `progress` what `amend` changes is not told before the next `put` or
        sign of life; such a watcher costs nothing in between.

        Raises:
            LimitReached: as many watch as may.
            Draining: the daemon ends.
        """
        if len(self._watchers) >= self._limits.watchers_max:
            raise LimitReached(
                f"{self._limits.watchers_max} watch already; come back later.",
                retry_after_s=self._limits.sign_of_life_s,
            )
        wake = asyncio.Event()
        self._watchers.add(wake)
        try:
            while not self._closed:
                wake.clear()
                seen = self._serial
                yield self._value
                await self._silence(wake, seen, progress=progress)
        finally:
            self._watchers.discard(wake)
        raise Draining("The coordinator is draining; watch again.", retry_after_s=1.0)

    async def _silence(self, wake: asyncio.Event, seen: int, *, progress: bool) -> None:
        """Wait for a change, or for as long as silence may last."""
        if not progress:
            await woken_or_after(wake, self._limits.sign_of_life_s, self._clock)
            return
        end_s = self._clock.monotonic_s() + self._limits.sign_of_life_s
        while not wake.is_set() and self._clock.monotonic_s() < end_s:
            await woken_or_after(wake, self._limits.progress_s, self._clock)
            if self._serial != seen:
                return


async def woken_or_after(wake: asyncio.Event, duration_s: float, clock: Clock) -> None:
    """Return when `wake` is set or `duration_s` of the clock has passed."""
    if wake.is_set():
        return
    waiters = [
        asyncio.ensure_future(wake.wait()),
        asyncio.ensure_future(clock.sleep(duration_s)),
    ]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
