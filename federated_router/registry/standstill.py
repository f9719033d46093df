"""Whether this process stood still: stopped, swapped out, its event loop blocked.

Decides how much of the time since the last beat nothing can have been heard. Refuses to
know leases, and who would have been heard.
"""

from collections.abc import Callable

from federated_router.kit.clock import Clock


class Standstill:
    """Beats on the event loop, and measures by how much a beat was late.

    A beat that is late by less than half of `beat_s` is a busy loop and none that
    stands still. Time counts as lost only where every one of `clocks` says that it has
    passed; the last of them is the one that beats.
    """

    def __init__(self, beat_s: float, clocks: tuple[Clock, ...]) -> None:
        self._beat_s = beat_s
        self._clocks = clocks
        self._beat_at_s: tuple[float, ...] = ()

    async def watch(self, on_beat: Callable[[], object]) -> None:
        """Beat for ever. `on_beat` asks for `passed_s`, as everybody does who looks.

        Nothing counts as lost before the first beat and after the last.
        """
        self._beat()
        try:
            while True:
                await self._clocks[-1].sleep(self._beat_s)
                on_beat()
                self._beat()
        finally:
            self._beat_at_s = ()

    def passed_s(self) -> float:
        """Return the seconds lost since the last beat; each is returned once."""
        if not self._beat_at_s:
            return 0.0
        pairs = zip(self._clocks, self._beat_at_s, strict=True)
        late_s = min(clock.monotonic_s() - at_s for clock, at_s in pairs) - self._beat_s
        if late_s < self._beat_s / 2:
            return 0.0
        self._beat()
        return late_s

    def _beat(self) -> None:
        self._beat_at_s = tuple(clock.monotonic_s() for clock in self._clocks)
