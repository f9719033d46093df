"""W3C trace context: taken from the caller, or begun here, and carried on.

Source: W3C Trace Context, level 1. Only `traceparent` is carried. Of a later version
the fields of version 00 are read, as the standard asks; version ff is invalid.
"""

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

KEY = "traceparent"
_SHAPE = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)


@dataclass(frozen=True, slots=True)
class Trace:
    """One call's place in a trace; ids in hexadecimal."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """Return the `traceparent` to send on, with this call as the parent."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def continued(header: str | None) -> Trace:
    """Return a new span of the caller's trace, or of a new one."""
    # Ids are drawn to differ, not to be secret: the system need not be asked each time.
    drawn = f"{random.getrandbits(192):048x}"
    span_id = drawn[:16]
    match = None if header is None else _SHAPE.fullmatch(header)
    if match is None or (match["version"] == "00" and match["rest"]):
        return Trace(trace_id=drawn[16:], span_id=span_id, flags="00")
    return Trace(trace_id=match["trace"], span_id=span_id, flags=match["flags"])


_current: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


def set_current_trace(trace: Trace) -> None:
    """Bind the trace to the call being handled; only the interceptor does so."""
    _current.set(trace)


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata that carries the current trace to the next hop."""
    trace = _current.get()
    return () if trace is None else ((KEY, trace.header),)
