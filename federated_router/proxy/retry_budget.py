"""How many requests may be sent a second time: a share of those that came. Pure.

Decides whether a router may add to the load of nodes that fail already. Every request
adds a share of a retry, time adds a few more so that a quiet router may retry too, and
what is saved up is bounded (a token bucket, as in Finagle's RetryBudget).
"""

from pydantic import Field

from federated_router.kit.config import Settings


class RetryBudgetSettings(Settings):
    """A share of the requests, so many each second beside it, and the most saved."""

    share: float = Field(default=0.2, ge=0, le=1)
    per_second: float = Field(default=10.0, ge=0)
    saved_max: float = Field(default=100.0, ge=1)


class RetryBudget:
    """Retries that may still be made; `now_s` is monotonic."""

    __slots__ = ("_left", "_settings", "_since_s")

    def __init__(self, settings: RetryBudgetSettings, now_s: float) -> None:
        self._settings = settings
        self._left = min(settings.saved_max, max(1.0, settings.per_second))
        self._since_s = now_s

    def request_came(self) -> None:
        """Add what one more request allows."""
        self._left = min(self._settings.saved_max, self._left + self._settings.share)

    def take(self, now_s: float) -> bool:
        """Return whether a retry may be made, and take it."""
        earned = (now_s - self._since_s) * self._settings.per_second
        self._since_s = now_s
        self._left = min(self._settings.saved_max, self._left + earned)
        if self._left < 1:
            return False
        self._left -= 1
        return True
