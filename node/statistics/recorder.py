"""Time one request at a node, and count it exactly once however it ends.

Decides which endings count: an answer and a failure do, a cancellation by the client
says nothing about the node and does not. Refuses to know rounds and encryption.
"""

from enum import StrEnum

from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.kit.clock import Clock
from federated_router.priors.catalogue import Cell
from node.statistics.latency import latency_ms_per_token


class RequestState(StrEnum):
    """RUNNING ends once, in one of the other three."""

    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RequestTiming:
    """One running request; the first ending counts and later ones do nothing."""

    def __init__(self, cell: Cell, *, statistics: Statistics, clock: Clock) -> None:
        self._cell = cell
        self._statistics = statistics
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._state = RequestState.RUNNING

    @property
    def state(self) -> RequestState:
        """How far the request is."""
        return self._state

    def answer(self, *, tokens: int) -> None:
        """Count an answer of `tokens` output tokens that ends now."""
        if self._end(RequestState.ANSWERED):
            duration_s = self._clock.monotonic_s() - self._started_s
            self._statistics.succeed(
                self._cell,
                latency_ms_per_token=latency_ms_per_token(
                    duration_s=duration_s, tokens=tokens
                ),
            )

    def fail(self, cause: FailureCause) -> None:
        """Count a failure."""
        if self._end(RequestState.FAILED):
            self._statistics.fail(self._cell, cause)

    def cancel(self) -> None:
        """End without counting: the client lost interest."""
        self._end(RequestState.CANCELLED)

    def _end(self, state: RequestState) -> bool:
        """Return whether this ending is the first."""
        if self._state is not RequestState.RUNNING:
            return False
        self._state = state
        return True


class RequestRecorder:
    """Starts the timing of requests that this node serves in its region."""

    def __init__(self, *, region: str, statistics: Statistics, clock: Clock) -> None:
        self._region = region
        self._statistics = statistics
        self._clock = clock

    def begin(self, model: str) -> RequestTiming:
        """Return the timing of a request for `models/NAME` that was accepted now."""
        return RequestTiming(
            Cell(model, self._region), statistics=self._statistics, clock=self._clock
        )
