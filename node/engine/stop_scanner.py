"""Finds stop strings in text that arrives in parts.

Decides which text may leave; refuses to know tokens. Pure. What could still become a
stop string is held back, so no part of one is ever shown.
"""

from collections.abc import Sequence


class StopScanner:
    """Passes text on until the first stop string; feed it in order, flush it once."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Return whether a stop string has appeared."""
        return self._stopped

    def feed(self, text: str) -> str:
        """Return what may be shown now; empty for good once stopped."""
        if self._stopped:
            return ""
        pending = self._held + text
        found = [at for at in (pending.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self._stopped, self._held = True, ""
            return pending[: min(found)]
        keep = self._held_length(pending)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]

    def flush(self) -> str:
        """Return what was held back, now that no more text comes."""
        held, self._held = self._held, ""
        return held

    def _held_length(self, pending: str) -> int:
        """Return the length of the longest end that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        for length in range(min(longest, len(pending)), 0, -1):
            end = pending[-length:]
            if any(stop.startswith(end) for stop in self._stop):
                return length
        return 0
