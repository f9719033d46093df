"""When a second node is asked for an answer that one has not begun yet. Pure.

Decides how long a first token is waited for, from the times that it took lately, model
by model, and how many requests may be asked twice (Dean and Barroso, "The tail at
scale", 2013). Refuses to know private requests: they are never asked twice.
"""

from collections import deque
from typing import Final

from pydantic import Field

from federated_router.kit.config import Settings
from federated_router.proxy.retry_budget import RetryBudget, RetryBudgetSettings

_LOOK_EVERY: Final = 16
"""Times between two looks at the quantile, which sorts what is remembered."""


class HedgingSettings(Settings):
    """At most this `share` of streams is asked for twice; 0 is never.

    The second node is asked once the first has been silent for longer than a share
    `quantile` of the model's last `samples_max` first tokens took, and at least for
    `after_s_min`; not before `samples_min` are known. Models beyond `models_max` push
    the oldest out.
    """

    share: float = Field(default=0.0, ge=0, le=0.5)
    quantile: float = Field(default=0.95, gt=0, lt=1)
    after_s_min: float = Field(default=0.02, ge=0)
    samples_min: int = Field(default=20, ge=1)
    samples_max: int = Field(default=256, ge=1)
    models_max: int = Field(default=256, ge=1)


class _Times:
    """The last times of one model, and the quantile when it was last looked at."""

    __slots__ = ("after_s", "fresh", "times_s")

    def __init__(self, samples_max: int) -> None:
        self.times_s: deque[float] = deque(maxlen=samples_max)
        self.after_s = 0.0
        self.fresh = 0


class Hedging:
    """What one router knows of first tokens, and how often it may still hedge."""

    def __init__(self, settings: HedgingSettings) -> None:
        self._settings = settings
        self._models: dict[str, _Times] = {}
        self._budget = RetryBudget(
            RetryBudgetSettings(share=settings.share, per_second=0, saved_max=10), 0.0
        )

    def came(self, model: str, first_token_s: float) -> None:
        """Remember how long a first token took."""
        if not self._settings.share:
            return
        times = self._models.get(model)
        if times is None:
            while len(self._models) >= self._settings.models_max:
                del self._models[next(iter(self._models))]
            times = self._models[model] = _Times(self._settings.samples_max)
        times.times_s.append(first_token_s)
        times.fresh = max(0, times.fresh - 1)
        self._budget.request_came()

    def after_s(self, model: str) -> float | None:
        """Return how long to wait before another node is asked; None for ever."""
        times = self._models.get(model)
        if times is None or len(times.times_s) < self._settings.samples_min:
            return None
        if not times.fresh:
            times.fresh = _LOOK_EVERY
            known = sorted(times.times_s)
            at = min(len(known) - 1, int(self._settings.quantile * len(known)))
            times.after_s = max(known[at], self._settings.after_s_min)
        return times.after_s

    def take(self) -> bool:
        """Return whether one more request may be asked twice now, and count it."""
        return self._budget.take(0.0)
