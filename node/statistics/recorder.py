"""Time one request at a node, and count it exactly once however it ends.

Decides which endings count: an answer and a failure do, a cancellation by the client
says nothing about the node and does not. A node fills the performance, carbon and
holdout blocks; patterns and the bandit are the router's. Refuses to know rounds and
encryption.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from federated_router.federation.records import (
    FailureCause,
    RequestRecord,
    Success,
    steps_of,
)
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import UserKey
from federated_router.kit.clock import Clock
from federated_router.priors.contents import PRIVATE_TIER, Cell
from node.statistics.costs import ModelCosts, success_of
from node.statistics.latency import latency_ms_per_token
from node.statistics.modes import LatencyModes

NO_COSTS = ModelCosts()


class RequestState(StrEnum):
    """RUNNING ends once, in one of the other three."""

    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RequestRecorder:
    """Times the requests that this node serves in its region.

    `costs` is by `models/NAME`; `carbon_g_per_kwh` is the region's intensity, where it
    is configured.
    """

    def __init__(
        self,
        *,
        region: str,
        statistics: Statistics,
        clock: Clock,
        costs: Mapping[str, ModelCosts] = MappingProxyType({}),
        carbon_g_per_kwh: float | None = None,
        modes: LatencyModes | None = None,
    ) -> None:
        self._region = region
        self._statistics = statistics
        self._clock = clock
        self._costs = costs
        self._modes = modes
        self._carbon = (
            None
            if carbon_g_per_kwh is None
            else steps_of(carbon_g_per_kwh, unit=statistics.units.carbon_g_per_kwh)
        )

    def begin(
        self, model: str, *, user: UserKey | None = None, private: bool = False
    ) -> "RequestTiming":
        """Return the timing of a request for `models/NAME` that was accepted now.

        `user` is the one that the router named; None where it named none.
        """
        costs = self._costs.get(model, NO_COSTS)
        tier = PRIVATE_TIER if private else costs.tier
        return RequestTiming(
            self, Cell(model, self._region, tier), user=user, costs=costs
        )

    def now_s(self) -> float:
        """Return seconds on the clock that requests are timed by."""
        return self._clock.monotonic_s()

    def answered(
        self,
        cell: Cell,
        *,
        user: UserKey | None,
        costs: ModelCosts,
        duration_s: float,
        tokens: int,
    ) -> None:
        """Count an answer of `tokens` output tokens."""
        latency_ms = latency_ms_per_token(duration_s=duration_s, tokens=tokens)
        success = success_of(
            latency_ms_per_token=latency_ms,
            duration_s=duration_s,
            tokens=tokens,
            costs=costs,
            units=self._statistics.units,
        )
        self.ended(cell, user=user, outcome=success)
        if self._modes is not None:
            self._modes.add(cell, latency_ms)

    def ended(
        self, cell: Cell, *, user: UserKey | None, outcome: Success | FailureCause
    ) -> None:
        """Count one request, however it ended."""
        self._statistics.record(
            RequestRecord(
                cell=cell, user=user, performance=outcome, carbon=self._carbon
            )
        )


class RequestTiming:
    """One running request; the first ending counts and later ones do nothing."""

    def __init__(
        self,
        recorder: RequestRecorder,
        cell: Cell,
        *,
        user: UserKey | None,
        costs: ModelCosts,
    ) -> None:
        self._recorder = recorder
        self._cell = cell
        self._user = user
        self._costs = costs
        self._started_s = recorder.now_s()
        self._state = RequestState.RUNNING

    @property
    def state(self) -> RequestState:
        """How far the request is."""
        return self._state

    def answer(self, *, tokens: int) -> None:
        """Count an answer of `tokens` output tokens that ends now."""
        if self._end(RequestState.ANSWERED):
            self._recorder.answered(
                self._cell,
                user=self._user,
                costs=self._costs,
                duration_s=self._recorder.now_s() - self._started_s,
                tokens=tokens,
            )

    def fail(self, cause: FailureCause) -> None:
        """Count a failure."""
        if self._end(RequestState.FAILED):
            self._recorder.ended(self._cell, user=self._user, outcome=cause)

    def cancel(self) -> None:
        """End without counting: the client lost interest."""
        self._end(RequestState.CANCELLED)

    def _end(self, state: RequestState) -> bool:
        """Return whether this ending is the first."""
        if self._state is not RequestState.RUNNING:
            return False
        self._state = state
        return True
