"""The time by which a round is judged: wall time that nobody sets while it runs.

Decides that deadlines inside one process follow the monotonic clock, so that a wall
clock which is set (a step of NTP, a machine that was suspended) neither ends a round
nor makes it hang. Refuses to know rounds. What is stored are instants of this time;
after a restart only the wall clock is left to compare them with (`events.Resumed`).
"""

from federated_router.kit.clock import Clock


class SteadyClock:
    """Seconds since the epoch as they were when it was set, and have passed since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s: float | None = None

    def now_s(self) -> float:
        """Return the time; the first call sets it."""
        if self._offset_s is None:
            self.set()
        return self._clock.monotonic_s() + (self._offset_s or 0.0)

    def set(self) -> None:
        """Take the wall clock's word again; between rounds, when nobody waits."""
        self._offset_s = self._clock.now_s() - self._clock.monotonic_s()
