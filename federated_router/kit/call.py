"""One call as it is observed: its trace, who came, how it ended, how long it took.

What does not change between a method's calls (its logger and its metrics) is looked up
once. Refuses to know policies and errors.
"""

import time
from dataclasses import dataclass, field

import grpc
import structlog
from prometheus_client import Counter, Histogram

from federated_router.kit.identity import Identity
from federated_router.kit.log import get_logger
from federated_router.kit.metrics import CALL_DURATION, CALLS
from federated_router.kit.tracing import KEY as TRACE_KEY
from federated_router.kit.tracing import Trace, continued

log = get_logger("call")


@dataclass(slots=True)
class Method:
    """A method's logger and metrics."""

    name: str
    log: structlog.typing.FilteringBoundLogger
    durations: Histogram
    routine: bool = False
    calls: dict[str, Counter] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, *, routine: bool = False) -> "Method":
        """Return what a method is observed with; `name` is its full path.

        The success of a `routine` method is told at `debug` alone.
        """
        bound, durations = log.bind(method=name), CALL_DURATION.labels(name)
        return cls(name, bound, durations, routine=routine)

    def count(self, code: str, duration_s: float) -> None:
        """Count a call that ended."""
        counter = self.calls.get(code)
        if counter is None:
            counter = self.calls[code] = CALLS.labels(self.name, code)
        counter.inc()
        self.durations.observe(duration_s)


@dataclass(slots=True)
class Call:
    """What is known of a call while it runs."""

    method: Method
    trace: Trace
    identity: Identity | None = None
    begin_s: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, method: Method, context: grpc.aio.ServicerContext) -> "Call":
        """Return a call that has just come, in the trace that its caller named."""
        header = None
        for key, value in context.invocation_metadata() or ():
            if key == TRACE_KEY:
                header = value
                break
        return cls(method, continued(header))

    def finish(self, code: str, reason: str | None) -> None:
        """Count the call and write its one line."""
        duration_s = time.perf_counter() - self.begin_s
        self.method.count(code, duration_s)
        quietly = self.method.routine and code == "OK"
        tell = self.method.log.debug if quietly else self.method.log.info
        tell(
            "call",
            peer=self.identity.member if self.identity else "unknown",
            code=code,
            reason=reason,
            duration_ms=round(duration_s * 1000, 3),
            trace_id=self.trace.trace_id,
        )
