"""How long to wait before trying again.

Decides delays that double up to a bound and differ between members, so that a
coordinator that returns is not met by all of them at once. Refuses to know what is
tried. Pure: the random part comes in.
"""

from dataclasses import dataclass
from typing import Final

_DOUBLINGS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays between `least_s` and `most_s`."""

    least_s: float
    most_s: float

    def delay_s(self, failures: int, *, jitter: float) -> float:
        """Return the wait after so many failures in a row, counted from 1.

        `jitter` in [0, 1) chooses within the upper half of the doubled delay.
        """
        doublings = min(max(failures - 1, 0), _DOUBLINGS_MAX)
        bound_s = min(self.most_s, self.least_s * (1 << doublings))
        return bound_s * (1.0 + jitter) / 2
