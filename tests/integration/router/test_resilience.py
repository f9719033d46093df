"""Sick nodes are left alone, and the others are not hammered in their place."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import routing_pb2
from federated_router.kit import errors
from federated_router.kit.clock import Clock, ManualClock
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_in
from tests.support.reciting import reciting
from tests.support.running import eventually
from tests.support.scripted_node import Events, ScriptedNode, chunk, finished, started

OPEN_S = 60.0
BREAKERS = {
    "failures_max": 2,
    "open_s": OPEN_S,
    "open_jitter": 0.0,
    "probes_to_close": 1,
}


@asynccontextmanager
async def routing_by(
    pki: Pki, directory: Path, *, clock: Clock | None = None, **proxy: object
) -> AsyncIterator[RouterSetting]:
    """Run a router that takes its nodes in turn."""
    async with router_in(pki, directory, proxy=proxy, clock=clock) as router:
        routing = await router.routing()
        await routing.SetStrategy(
            routing_pb2.SetStrategyRequest(strategy="round_robin"), timeout=30
        )
        yield router


async def complete(router: RouterSetting) -> pb.CompleteResponse:
    """Return a whole answer, errors translated."""
    stub = await router.inference()
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=generation()), timeout=30
        )
    return response


async def die(_: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
    """End a call as a broken connection does."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")
    yield started()


async def test_node_that_fails_is_left_alone_and_tried_again(
    pki: Pki, tmp_path: Path
) -> None:
    """Two failures open its breaker; once its time is over one probe closes it."""
    clock = ManualClock()
    async with routing_by(pki, tmp_path, clock=clock, breakers=BREAKERS) as router:
        sick, well = await router.node("n1"), await router.node("n2")
        sick.script = die
        for _ in range(12):
            await complete(router)
        while_open = len(sick.requests)

        sick.script = sick.answer
        await clock.advance(OPEN_S)
        for _ in range(6):
            await complete(router)

    assert while_open == 2
    assert len(sick.requests) - while_open >= 3
    assert len(well.requests) >= 12


async def test_blocked_node_is_explained(pki: Pki, tmp_path: Path) -> None:
    """Whoever asks why it gets nothing hears that its breaker is open."""
    async with routing_by(pki, tmp_path, breakers=BREAKERS) as router:
        sick, _ = await router.node("n1"), await router.node("n2")
        sick.script = die
        for _ in range(4):
            await complete(router)

        response = await (await router.routing()).ExplainRoute(
            routing_pb2.ExplainRouteRequest(generation=generation()), timeout=30
        )

    refused = {one.node: one.rejected_by for one in response.candidates}
    assert refused == {"nodes/n1": "breaker_closed", "nodes/n2": ""}


async def test_node_that_registers_anew_is_trusted_again(
    pki: Pki, tmp_path: Path
) -> None:
    """The block was of a process that is gone."""
    async with routing_by(pki, tmp_path, breakers=BREAKERS) as router:
        sick, _ = await router.node("n1"), await router.node("n2")
        sick.script = die
        for _ in range(6):
            await complete(router)
        await sick.leave()

        again = await router.node("n1")
        for _ in range(4):
            await complete(router)

    assert len(sick.requests) == 2
    assert len(again.requests) == 2


async def test_retries_stop_when_their_budget_is_spent(
    pki: Pki, tmp_path: Path
) -> None:
    """Every second node fails: without a budget each request would be sent twice."""
    retries = {"share": 0.2, "per_second": 0, "saved_max": 1}
    breakers = {"failures_max": 1000, "requests_min": 1000}
    async with routing_by(pki, tmp_path, retries=retries, breakers=breakers) as router:
        nodes = [await router.node(f"n{number}") for number in range(2)]
        for node in nodes:
            node.script = die
        for _ in range(20):
            with pytest.raises(errors.NodeLost):
                await complete(router)

    assert sum(len(node.requests) for node in nodes) in {23, 24, 25}


async def test_node_that_says_when_is_asked_again_then_and_no_sooner(
    pki: Pki, tmp_path: Path
) -> None:
    """There is no other node, and the time that it names is short."""
    async with routing_by(pki, tmp_path) as router:
        node = await router.node("n1")
        times_s: list[float] = []

        async def full_at_first(_: pb.Generation, __: object) -> Events:
            times_s.append(time.monotonic())
            if len(times_s) == 1:
                raise errors.QueueFull("full", retry_after_s=0.3)
            yield started()
            yield finished(0)

        node.script = full_at_first
        await complete(router)

    assert times_s[1] - times_s[0] >= 0.3


HEDGING = {"share": 0.5, "samples_min": 2, "after_s_min": 0.1}


async def slow_node(router: RouterSetting, hedging_from: int) -> ScriptedNode:
    """Teach the router fast first tokens, then make one node silent."""
    nodes = [await router.node("n1"), await router.node("n2")]
    stub = await router.inference()
    for _ in range(hedging_from):
        request = pb.GenerateRequest(generation=generation())
        _ = [event async for event in stub.Generate(request, timeout=30)]

    async def silent(_: pb.Generation, __: object) -> Events:
        yield started("nodes/n1")
        await asyncio.sleep(30)

    nodes[0].script = silent
    return nodes[0]


async def test_slow_stream_is_asked_for_twice_and_answered_once(
    pki: Pki, tmp_path: Path
) -> None:
    """The second node is faster; the first is cancelled, and nothing doubles."""
    async with routing_by(pki, tmp_path, hedging=HEDGING) as router:
        slow = await slow_node(router, hedging_from=6)
        stub = await router.inference()
        answers = []
        for _ in range(2):
            request = pb.GenerateRequest(generation=generation())
            answers.append([one async for one in stub.Generate(request, timeout=60)])
        await eventually(lambda: slow.cancelled == 1)

    for events in answers:
        kinds = [event.WhichOneof("event") for event in events]
        assert kinds.count("started") == kinds.count("finished") == 1
        assert events[0].started.node == "nodes/n2"
        assert "".join(event.chunk.text for event in events) == "ab"


async def test_nothing_is_asked_for_twice_unless_configured(
    pki: Pki, tmp_path: Path
) -> None:
    """The silent node keeps its request, long after another would be asked."""
    async with routing_by(pki, tmp_path) as router:
        slow = await slow_node(router, hedging_from=6)
        asking = [asyncio.ensure_future(complete(router)) for _ in range(2)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        await eventually(lambda: len(slow.requests) == 4)
        await asyncio.sleep(5 * HEDGING["after_s_min"])
        answered = [one.done() for one in asking]
        sent = sum(len(node.requests) for node in router.nodes.values())
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    assert sorted(answered) == [False, True]
    assert sent == 8


async def test_chunks_that_come_together_leave_together(
    pki: Pki, tmp_path: Path
) -> None:
    """A burst takes far fewer messages, and is the same answer."""
    async with router_in(pki, tmp_path, proxy={"stream_gather_s": 0.05}) as router:
        node = await router.node("n1")
        node.script = reciting(node, tokens=2000)
        stub = await router.inference()
        request = pb.GenerateRequest(generation=generation())

        events = [one async for one in stub.Generate(request, timeout=30)]

    chunks = [event.chunk for event in events if event.HasField("chunk")]
    assert [one for part in chunks for one in part.token_ids] == [*range(100, 2100)]
    assert len(chunks) < 500
    assert len(chunks[0].token_ids) == 1


async def test_node_waits_for_a_caller_who_does_not_read(
    pki: Pki, tmp_path: Path
) -> None:
    """What is read ahead is bounded: the rest stays where it is made."""
    ahead = {"stream_ahead_bytes_max": 64 * 1024}
    async with router_in(pki, tmp_path, proxy=ahead) as router:
        node = await router.node("n1")
        made = 0

        async def endless(_: pb.Generation, __: object) -> Events:
            nonlocal made
            yield started()
            while True:
                made += 1
                yield chunk("x" * 10_000)

        node.script = endless
        stub = await router.inference()
        call = stub.Generate(pb.GenerateRequest(generation=generation()), timeout=30)
        await call.read()
        await call.read()
        seen = -1
        while seen != made:
            seen = made
            await asyncio.sleep(0.3)
        call.cancel()

    assert made < 2000
