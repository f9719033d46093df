"""W3C trace context: continued where it is well formed, begun anew where not."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.tracing import (
    KEY,
    continued,
    outgoing_metadata,
    set_current_trace,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"
SHAPE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def test_callers_trace_goes_on_under_a_new_span() -> None:
    """The hops of one request are one trace; each is a span of its own."""
    trace = continued(HEADER)

    assert (trace.trace_id, trace.flags) == (TRACE, "01")
    assert trace.span_id != PARENT
    assert trace.header == f"00-{TRACE}-{trace.span_id}-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        HEADER.upper(),
        HEADER + "-extra",
        HEADER[:-1],
        f" {HEADER}",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0g",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        HEADER + "\n",
    ],
)
def test_malformed_header_begins_a_new_trace(header: str | None) -> None:
    """A caller's nonsense must not join strangers' requests into one trace."""
    trace = continued(header)

    assert trace.trace_id != TRACE
    assert trace.flags == "00"


@pytest.mark.parametrize(
    "header", [f"01-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-comes-later"]
)
def test_later_version_is_read_as_far_as_it_is_known(header: str) -> None:
    """The standard promises these fields to every later version."""
    trace = continued(header)

    assert trace.trace_id == TRACE
    assert trace.header.startswith("00-")


@given(header=st.none() | st.text(max_size=80))
def test_what_goes_out_is_always_well_formed(header: str | None) -> None:
    """Whatever came in, the next hop gets a header that it can read."""
    assert SHAPE.fullmatch(continued(header).header)


def test_new_traces_differ() -> None:
    """Two requests without a trace are two traces."""
    assert len({continued(None).trace_id for _ in range(100)}) == 100


async def test_each_call_sends_its_own_trace_on() -> None:
    """Concurrent calls share the process but not the trace."""

    async def handle(header: str) -> tuple[tuple[str, str], ...]:
        set_current_trace(continued(header))
        await asyncio.sleep(0)
        return outgoing_metadata()

    other = HEADER.replace(TRACE, "a" * 32)

    first, second = await asyncio.gather(handle(HEADER), handle(other))

    assert first[0][0] == KEY
    assert (TRACE in first[0][1], "a" * 32 in second[0][1]) == (True, True)
    assert outgoing_metadata() == ()
