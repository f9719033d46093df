"""How much failed lately: counts in slices of a sliding window. Pure.

Decides what "lately" is; refuses to know what failed, and what follows from it.
"""

from collections import deque
from typing import Final

SLICES: Final = 10
"""Parts of a window; what is older than the window is forgotten a part at a time."""


class FailureWindow:
    """Counts of the last `window_s` seconds; memory is that of its slices."""

    __slots__ = ("_slice_s", "_slices")

    def __init__(self, window_s: float) -> None:
        self._slice_s = window_s / SLICES
        self._slices: deque[list[int]] = deque(maxlen=SLICES + 1)

    def count(self, now_s: float, *, failures: int) -> None:
        """Count one more request, of which `failures`, 0 or 1, failed."""
        index = int(now_s / self._slice_s)
        slices = self._slices
        if not slices or slices[-1][0] != index:
            slices.append([index, 0, 0])
        newest = slices[-1]
        newest[1] += 1
        newest[2] += failures

    def totals(self, now_s: float) -> tuple[int, int]:
        """Return the requests and the failures among them."""
        oldest = int(now_s / self._slice_s) - SLICES
        while self._slices and self._slices[0][0] < oldest:
            self._slices.popleft()
        requests = sum(one[1] for one in self._slices)
        return requests, sum(one[2] for one in self._slices)
