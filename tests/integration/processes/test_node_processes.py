"""Nodes that are killed under a request: it is moved, or goes on, elsewhere."""

import asyncio

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from tests.support.processes import (
    Processes,
    Traced,
    events_of,
    public,
    until,
)

LONG = 3000
BEGUN = 1000


def token_ids(events: list[pb.GenerateResponse]) -> list[int]:
    """Return all tokens of an answer."""
    return [one for event in events for one in event.chunk.token_ids]


async def test_killed_node_moves_what_it_had_not_begun_and_the_rest_goes_on(
    pair: Processes,
) -> None:
    """Before the first token another node answers; after it one goes on, exactly.

    The victim is frozen in an answer, so that it is certain that it was sent the other
    requests and said nothing. A node is left that could have taken all of them.
    """
    async with pair.calls() as calls:
        await calls.warm(2)
        greedy = public(tokens_max=BEGUN)
        greedy.sampling.temperature = 0.0
        undisturbed = await events_of(calls.stream(greedy))
        begun = calls.stream(greedy)
        events = [await begun.read(), await begun.read()]
        victim = events[0].started.node.removeprefix("nodes/")
        pair.freeze(victim)
        several = [
            asyncio.ensure_future(events_of(calls.stream(public()))) for _ in range(8)
        ]
        await asyncio.sleep(0.5)

        pair.kill(victim)
        events += await events_of(begun)
        answers = await asyncio.gather(*several)

        async def gone() -> bool:
            return await calls.nodes() == set(pair.nodes) - {victim}

        await until(gone, what="its lease lapses")

    failed = await pair.logged("router", victim, event="attempt failed")
    assert failed["reason"] == "NODE_LOST"
    assert token_ids(events) == token_ids(undisturbed)
    assert events[-1].finished.resumptions == 1
    for answer in answers:
        started = [one.started.node for one in answer if one.HasField("started")]
        assert len(started) == 1
        assert started[0] != f"nodes/{victim}"
        assert answer[-1].finished.completion_tokens == 4


async def test_cancellation_reaches_the_node(pair: Processes) -> None:
    """A caller who left must cost nobody another token."""
    trace = Traced()
    async with pair.calls() as calls:
        call = calls.stream(public(tokens_max=LONG), traced=trace)
        node = (await call.read()).started.node.removeprefix("nodes/")
        await call.read()

        call.cancel()
        line = await pair.logged(node, trace.trace_id)

    assert line["code"] == "CANCELLED"


async def read_into(
    events: list[pb.GenerateResponse],
    call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse],
) -> None:
    """Read a stream until it ends or fails."""
    while (event := await call.read()) is not grpc.aio.EOF:
        events.append(event)


async def test_deadline_reaches_the_node(pair: Processes) -> None:
    """The node stops when the caller stops waiting, not when it has finished."""
    async with pair.calls() as calls:
        for within_s in (1.0, 3.0):
            trace, events = Traced(), []
            call = calls.inference.Generate(
                pb.GenerateRequest(generation=public(tokens_max=LONG)),
                timeout=within_s,
                metadata=trace.metadata,
            )
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await read_into(events, call)
            if events:
                break
        node = events[0].started.node.removeprefix("nodes/")
        line = await pair.logged(node, trace.trace_id)

    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert line["code"] in ("CANCELLED", "DEADLINE_EXCEEDED")
