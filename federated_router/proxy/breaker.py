"""A circuit breaker: `(state, what became of a request, now) -> state`. Pure.

                 too many failures in a row, or too large a share
       CLOSED ----------------------------------------------------> OPEN
          ^                                                          |
          | enough probes succeeded                    its time over |
          +------------------------- HALF_OPEN <---------------------+
                                         |                           ^
                                         +--- a probe failed --------+
                                              (open for longer)

Decides when nothing is sent to a peer, and when it is tried again. Refuses to know what
peers are, and which failures are theirs. The time that it stays open grows with every
opening up to a limit, and every mark against a peer expires.
"""

from enum import Enum

from pydantic import Field

from federated_router.kit.config import Settings
from federated_router.proxy.failure_window import FailureWindow


class BreakerState(Enum):
    """Whether requests go to a peer."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Outcome(Enum):
    """What a request that ended says of the peer.

    UNKNOWN where it says nothing: its caller ended it, or the peer was merely full.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class BreakerSettings(Settings):
    """When breakers open, and for how long.

    One opens after `failures_max` failures in a row, or when of at least `requests_min`
    requests within `window_s` the share `failure_ratio_max` failed. It stays open for
    `open_s`, twice as long with each opening in a row, at most `open_s_max`, shortened
    by up to `open_jitter` of it so that routers do not probe together. Then
    `probes_max` requests at a time may go there, until `probes_to_close` have
    succeeded. A request that ran into its deadline without a first token counts as a
    failure only where it had waited for `silent_s`. Breakers of at most `nodes_max`
    nodes are kept.
    """

    failures_max: int = Field(default=5, ge=1)
    window_s: float = Field(default=30.0, gt=0)
    requests_min: int = Field(default=20, ge=1)
    failure_ratio_max: float = Field(default=0.5, gt=0, le=1)
    open_s: float = Field(default=1.0, gt=0)
    open_s_max: float = Field(default=30.0, gt=0)
    open_jitter: float = Field(default=0.2, ge=0, lt=1)
    probes_max: int = Field(default=1, ge=1)
    probes_to_close: int = Field(default=2, ge=1)
    silent_s: float = Field(default=10.0, gt=0)
    nodes_max: int = Field(default=4096, ge=1)


class Breaker:
    """One breaker. `now_s` is monotonic; requests begin and end in any order.

    `begin` gives each request the number of the state that it began in: one that ends
    in a later state says nothing of it.
    """

    __slots__ = (
        "_epoch",
        "_failed_s",
        "_in_a_row",
        "_openings",
        "_probes",
        "_probes_good",
        "_settings",
        "_state",
        "_until_s",
        "_window",
    )

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._state = BreakerState.CLOSED
        self._epoch = 0
        self._openings = 0
        self._until_s = 0.0
        self._failed_s = 0.0
        self._reset()

    @property
    def open_until_s(self) -> float | None:
        """Return when an open breaker lets a probe through; None where it is not."""
        return self._until_s if self._state is BreakerState.OPEN else None

    def state(self, now_s: float) -> BreakerState:
        """Return the state now."""
        if self._state is BreakerState.OPEN and now_s >= self._until_s:
            self._enter(BreakerState.HALF_OPEN)
        return self._state

    def admits(self, now_s: float) -> bool:
        """Return whether a request may go to the peer now."""
        state = self.state(now_s)
        if state is BreakerState.HALF_OPEN:
            return self._probes < self._settings.probes_max
        return state is BreakerState.CLOSED

    def begin(self, now_s: float) -> int:
        """Count a request that is about to be sent; return its epoch, for `end`."""
        if self._state is not BreakerState.CLOSED:
            self._probes += self.state(now_s) is BreakerState.HALF_OPEN
        return self._epoch

    def end(
        self, epoch: int, outcome: Outcome, now_s: float, *, jitter: float
    ) -> BreakerState:
        """Judge a request that ended; return the state. `jitter` is in [0, 1)."""
        if epoch == self._epoch:
            if self._state is BreakerState.CLOSED:
                self._judge(outcome, now_s, jitter)
            elif self._state is BreakerState.HALF_OPEN:
                self._judge_probe(outcome, now_s, jitter)
        return self._state

    def _judge(self, outcome: Outcome, now_s: float, jitter: float) -> None:
        if outcome is Outcome.UNKNOWN:
            return
        failed = outcome is Outcome.FAILED
        self._window.count(now_s, failures=failed)
        if not failed:
            self._in_a_row = 0
            return
        stale = now_s - self._failed_s > self._settings.window_s
        self._in_a_row = 1 if stale else self._in_a_row + 1
        self._failed_s = now_s
        if self._too_many(now_s):
            self._open(now_s, jitter)

    def _too_many(self, now_s: float) -> bool:
        settings = self._settings
        if self._in_a_row >= settings.failures_max:
            return True
        requests, failures = self._window.totals(now_s)
        return (
            requests >= settings.requests_min
            and failures >= settings.failure_ratio_max * requests
        )

    def _judge_probe(self, outcome: Outcome, now_s: float, jitter: float) -> None:
        self._probes -= 1
        if outcome is Outcome.FAILED:
            self._open(now_s, jitter)
        elif outcome is Outcome.SUCCEEDED:
            self._probes_good += 1
            if self._probes_good >= self._settings.probes_to_close:
                self._openings = 0
                self._enter(BreakerState.CLOSED)

    def _open(self, now_s: float, jitter: float) -> None:
        settings = self._settings
        # 2**1023 is the largest power of two that a float can be multiplied by.
        longest_s = min(
            settings.open_s_max, settings.open_s * 2.0 ** min(self._openings, 1000)
        )
        self._openings += 1
        self._until_s = now_s + longest_s * (1 - settings.open_jitter * jitter)
        self._enter(BreakerState.OPEN)

    def _enter(self, state: BreakerState) -> None:
        self._state = state
        self._epoch += 1
        self._reset()

    def _reset(self) -> None:
        self._window = FailureWindow(self._settings.window_s)
        self._in_a_row = 0
        self._probes = 0
        self._probes_good = 0
