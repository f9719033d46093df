"""Time as a port, so that tests own it.

Wall time is for what people and databases see; monotonic time is for leases and
timeouts inside one process. Neither is ever read directly by domain code.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where every daemon reads the time and waits for it to pass."""

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Return once `duration_s` seconds of this clock have passed."""
        ...


class SystemClock:
    """The operating system's clock."""

    def now_s(self) -> float:
        """Return seconds since the Unix epoch, UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return the system's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(duration_s)


class ManualClock:
    """A clock that stands still until told to advance.

    Sleepers wake, in the order of their deadlines, when `advance` passes them.
    """

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        """Return the manual time."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return the manual time; it never goes back."""
        return self._now_s

    async def sleep(self, duration_s: float) -> None:
        """Wait until `advance` has moved the clock past the deadline."""
        waiter = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_s + duration_s, waiter))
        await waiter

    async def advance(self, duration_s: float) -> None:
        """Move time forward, then let everything that was due run."""
        self._now_s += duration_s
        due = sorted(
            (entry for entry in self._sleepers if entry[0] <= self._now_s),
            key=lambda entry: entry[0],
        )
        self._sleepers = [entry for entry in self._sleepers if entry not in due]
        for _, waiter in due:
            if not waiter.done():
                waiter.set_result(None)
        for _ in range(10):
            await asyncio.sleep(0)
