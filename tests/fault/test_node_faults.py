"""Nodes that die, freeze and come back: leases and connections tell, nobody else."""

import asyncio
import time

import grpc
import pytest

from tests.support.processes import (
    LEASE_S,
    Calls,
    Processes,
    events_of,
    private,
    public,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
LONG = 1500
NOTICED_S = LEASE_S + 3
"""A lease lapses, the sweep finds it, the router closes the connection."""


async def left(calls: Calls, federation: Processes, *victims: str) -> None:
    """Wait until exactly these nodes have left."""

    async def gone() -> bool:
        return await calls.nodes() == set(federation.nodes) - set(victims)

    await until(gone, what=f"{victims} leave", within_s=LEASE_S + 2)


async def returned(calls: Calls, federation: Processes) -> None:
    """Wait until every node is back."""

    async def back() -> bool:
        return await calls.nodes() == set(federation.nodes)

    await until(back, what="every node is back", within_s=10)


async def test_killed_node_leaves_with_its_lease_and_returns_when_restarted(
    federation: Processes,
) -> None:
    """Nobody tells the router; the lease does, in both directions."""
    victim = federation.nodes[0]
    async with federation.calls() as calls:
        federation.kill(victim)
        await left(calls, federation, victim)
        others = await calls.nodes()

        await federation.restart(victim)

        await returned(calls, federation)
        assert others == set(federation.nodes) - {victim}
        assert await calls.nodes() == {*others, victim}


async def test_node_told_to_stop_leaves_at_once_and_finishes_what_it_has_begun(
    federation: Processes,
) -> None:
    """An orderly stop costs no caller anything."""
    async with federation.calls() as calls:
        call = calls.stream(public(tokens_max=400))
        events = [await call.read(), await call.read()]
        node = events[0].started.node.removeprefix("nodes/")

        federation.terminate(node)
        events += await events_of(call)
        status = await federation.wait_end(node)
        await left(calls, federation, node)

    assert status == 0
    assert events[-1].finished.completion_tokens == 400


async def test_frozen_node_holds_nobody_past_its_lease(
    federation: Processes,
) -> None:
    """Its sockets stay open, so that only time tells: what began goes on elsewhere."""
    async with federation.calls() as calls:
        call = calls.stream(public(tokens_max=LONG))
        victim = (await call.read()).started.node.removeprefix("nodes/")
        await call.read()

        federation.freeze(victim)
        held_s, since_s, events = 0.0, time.monotonic(), []
        while (event := await call.read()) is not grpc.aio.EOF:
            held_s = max(held_s, time.monotonic() - since_s)
            since_s = time.monotonic()
            events.append(event)
        await left(calls, federation, victim)
        federation.thaw(victim)
        await returned(calls, federation)
        answers = await asyncio.gather(*(calls.complete(public()) for _ in range(12)))

    assert held_s < NOTICED_S
    assert events[-1].finished.completion_tokens == LONG
    assert events[-1].finished.resumptions == 1
    assert all(one.finished.completion_tokens == 4 for one in answers)


@pytest.mark.parametrize("streamed", [False, True])
async def test_request_to_a_frozen_node_moves_once_its_lease_is_over(
    federation: Processes,
    streamed: bool,  # noqa: FBT001 - a parameter of the test.
) -> None:
    """Nothing had left the router, so the caller hears one answer, later."""
    async with federation.calls() as calls:
        await calls.warm(len(federation.nodes))
        victim = await calls.chosen()
        federation.freeze(victim)

        begin_s = time.monotonic()
        if streamed:
            events = await events_of(calls.stream(public()))
            started = [one.started.node for one in events if one.HasField("started")]
        else:
            started = [(await calls.complete(public())).started.node]
        held_s = time.monotonic() - begin_s

    assert len(started) == 1
    assert started != [f"nodes/{victim}"]
    assert held_s < NOTICED_S


async def test_no_node_left_is_said_and_nothing_is_held(
    federation: Processes,
) -> None:
    """All nodes killed: a refusal that says try later, and an account untouched."""
    async with federation.calls() as calls:
        before = await calls.open_dataset()
        federation.kill(*federation.nodes)

        for generation in (public(), private()):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await calls.complete(generation)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        after = await calls.account()

    assert after.spent_units == before.spent_units
    assert after.held_units == 0
