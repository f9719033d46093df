"""The clock of one simulated machine: the loop's time, and a wall clock that may jump.

Decides nothing else. Deadlines inside a process follow the monotonic time, which never
jumps; what a machine believes the date to be follows `offset_s`.
"""

import asyncio


class VirtualClock:
    """A `kit.clock.Clock`; `begin_s` is the wall time at which the world began."""

    def __init__(self, begin_s: float) -> None:
        self._begin_s = begin_s
        self._offset_s = 0.0

    def now_s(self) -> float:
        """Return what this machine takes for the seconds since the Unix epoch."""
        return self._begin_s + self.monotonic_s() + self._offset_s

    def monotonic_s(self) -> float:
        """Return virtual seconds since the world began."""
        return asyncio.get_running_loop().time()

    async def sleep(self, duration_s: float) -> None:
        """Return once so many virtual seconds have passed."""
        await asyncio.sleep(duration_s)

    def jump(self, by_s: float) -> None:
        """Set the wall clock forward, or back."""
        self._offset_s += by_s
