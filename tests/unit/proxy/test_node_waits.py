"""Requests wait for a node: not for ever, not all of them, and not in vain."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from federated_router.kit.errors import (
    Draining,
    FederationError,
    ModelUnknown,
    NodeLost,
    NoNodeAvailable,
    QueueFull,
    WishesUnmet,
)
from federated_router.proxy.connections import NodeUnreachable
from federated_router.proxy.node_waits import NodeWaits, NodeWaitSettings, passes
from federated_router.routing.candidate import Candidate
from tests.unit.proxy.test_recording import CANDIDATE

NOBODY = NoNodeAvailable("nobody", retry_after_s=1.0)
LONG_S = 30.0


def waits(longest_s: float = LONG_S, waiting_max: int = 8) -> NodeWaits:
    """Return waits that look often."""
    return NodeWaits(
        NodeWaitSettings(longest_s=longest_s, look_s=0.01, waiting_max=waiting_max)
    )


def after(
    looks: int, error: FederationError = NOBODY
) -> Callable[[], Awaitable[Candidate]]:
    """Return a place that is found at the last of so many looks."""
    left = iter(range(looks - 1))

    async def place() -> Candidate:
        if next(left, None) is None:
            return CANDIDATE
        raise error

    return place


async def nowhere() -> Candidate:
    """Find nothing, ever."""
    raise NOBODY


async def test_node_that_comes_while_a_request_waits_takes_it() -> None:
    """The caller hears nothing of the refusals before."""
    found = await waits().placed(after(3), NOBODY, remaining_s=60.0)

    assert found == CANDIDATE


@pytest.mark.parametrize(("longest_s", "remaining_s"), [(0.1, 60.0), (60.0, 0.2)])
async def test_wait_ends_with_the_setting_and_with_half_of_the_callers_time(
    longest_s: float, remaining_s: float
) -> None:
    """The other half is for the answer, and for hearing why there is none."""
    begin_s = time.monotonic()

    with pytest.raises(NoNodeAvailable):
        await waits(longest_s).placed(nowhere, NOBODY, remaining_s=remaining_s)

    assert 0.1 <= time.monotonic() - begin_s < 5.0


async def test_refusal_that_no_waiting_changes_ends_the_wait_at_once() -> None:
    """Nor is it waited for in the first place; the caller hears the new reason."""
    unknown = ModelUnknown("gone")

    with pytest.raises(ModelUnknown):
        await waits().placed(after(2), unknown, remaining_s=60.0)
    with pytest.raises(ModelUnknown):
        await waits().placed(after(3, unknown), NOBODY, remaining_s=60.0)


async def test_more_than_so_many_do_not_wait() -> None:
    """The next is refused without a look; one that left makes room."""
    crowd = waits(waiting_max=2)
    first = [
        asyncio.create_task(crowd.placed(nowhere, NOBODY, remaining_s=60.0))
        for _ in range(2)
    ]
    await asyncio.sleep(0)

    with pytest.raises(NoNodeAvailable):
        await asyncio.wait_for(crowd.placed(after(1), NOBODY, remaining_s=60.0), 5.0)
    first.pop().cancel()
    await asyncio.sleep(0.01)
    found = await crowd.placed(after(1), NOBODY, remaining_s=60.0)

    assert found == CANDIDATE
    first.pop().cancel()


async def test_nobody_waits_where_that_is_turned_off() -> None:
    """Zero seconds is never, not one look."""
    with pytest.raises(NoNodeAvailable):
        await waits(0.0).placed(after(1), NOBODY, remaining_s=60.0)


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (NOBODY, True),
        (NoNodeAvailable("the strategy passes over all"), False),
        (NodeLost("lost", retry_after_s=0.1), True),
        (NodeUnreachable("no connection"), True),
        (Draining("on its way out"), True),
        (QueueFull("full", retry_after_s=1.0), False),
        (WishesUnmet("too dear"), False),
    ],
)
def test_what_passes_is_that_a_node_is_missing(
    refused: FederationError,
    expected: bool,  # noqa: FBT001 - a parameter of the test.
) -> None:
    """Not that all are full, and not that the request can be met by none."""
    assert passes(refused) is expected
