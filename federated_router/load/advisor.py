"""Watches the load and keeps the newest advice on scaling.

Decides when the load is looked at and how long a low one must have lasted; what to
advise is decided in `scaling`. History is bounded: one figure for each model and each
interval of `settle_s`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from federated_router.kit.clock import Clock
from federated_router.load import metrics
from federated_router.load.demand import Advice, Demand
from federated_router.load.demands import demands_of
from federated_router.load.scaling import advise, need_of
from federated_router.load.settings import ScalingSettings
from federated_router.load.views import Admission, Breakers
from federated_router.load.window import ActivityWindow
from federated_router.proxy.breaker import BreakerState
from federated_router.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class _Look:
    """The nodes that each model could stay with at one moment."""

    at_s: float
    calm: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Backlog:
    """Requests that wait, and that were refused since the start, at one moment."""

    at_s: float
    waiting: int = 0
    shed: int = 0


class Advisor:
    """Advice for one router's models."""

    def __init__(
        self,
        settings: ScalingSettings,
        *,
        window: ActivityWindow,
        registry: Registry,
        in_flight: Callable[[str], int],
        admission: Admission,
        breakers: Breakers,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._window = window
        self._registry = registry
        self._in_flight = in_flight
        self._admission = admission
        self._breakers = breakers
        self._clock = clock
        self._looks: deque[_Look] = deque()
        self._backlogs: deque[_Backlog] = deque()

    async def advice(self) -> Sequence[Advice]:
        """Return advice for every model on the load as it is now."""
        demands, settled = self._demands(), self._settled()
        return await asyncio.to_thread(advise, demands, self._settings, settled)

    async def run(self) -> None:
        """Look at the load for ever, and show the advice to who scrapes metrics."""
        while True:
            await self.look()
            await self._clock.sleep(self._settings.interval_s)

    async def look(self) -> None:
        """Remember what the load asks for now, and show the advice as metrics."""
        demands = self._demands()
        needs = await asyncio.to_thread(_calm, demands, self._settings)
        now_s = self._clock.monotonic_s()
        self._looks.append(_Look(now_s, needs))
        self._drop_old(now_s)
        self._backlogs.append(self._backlog(now_s))
        metrics.show(await self.advice())

    def _demands(self) -> tuple[Demand, ...]:
        breakers = self._breakers.states()
        return demands_of(
            self._registry.present(),
            self._window.activities(),
            span_s=self._window.span_s,
            unserved=self._unserved(),
            in_flight=self._in_flight,
            takes_work=lambda node: breakers.get(node) is not BreakerState.OPEN,
        )

    def _backlog(self, now_s: float) -> _Backlog:
        figures = self._admission.activity()
        return _Backlog(now_s, figures.requests_waiting, figures.requests_shed)

    def _unserved(self) -> float:
        """Return how many requests were refused, or began to wait, in the window."""
        now = self._backlog(self._clock.monotonic_s())
        then = self._backlogs[0] if self._backlogs else _Backlog(now.at_s)
        refused = now.shed - then.shed
        return max(0, refused + now.waiting - then.waiting)

    def _settled(self) -> Mapping[str, int]:
        """Return the most that each model could have needed in the last `settle_s`.

        Only models that were there at every look of that time.
        """
        since_s = self._clock.monotonic_s() - self._settings.settle_s
        looks = list(self._looks)
        if not looks or looks[0].at_s > since_s:
            return {}
        always = set(looks[0].calm).intersection(*(look.calm for look in looks))
        return {model: max(look.calm[model] for look in looks) for model in always}

    def _drop_old(self, now_s: float) -> None:
        """Drop looks but the last of those that are older than what is asked for."""
        since_s = now_s - self._settings.settle_s
        while len(self._looks) > 1 and self._looks[1].at_s <= since_s:
            self._looks.popleft()
        backlogs, window_s = self._backlogs, self._window.window_s
        while len(backlogs) > 1 and backlogs[1].at_s <= now_s - window_s:
            backlogs.popleft()


def _calm(demands: Sequence[Demand], settings: ScalingSettings) -> Mapping[str, int]:
    return {one.model: need_of(one, settings).calm for one in demands}
