"""Public streams through real processes that die, freeze and leave: every token once.

The nodes run one model, so that the answer of an undisturbed run is known beforehand,
token for token, drawn or greedy.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Self

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2
from federated_router.proxy.settings import ProxySettings
from tests.support.cut_link import linked
from tests.support.processes import (
    CALL_S,
    CONNECT_TIMEOUT_S,
    LEASE_S,
    LONG_POLICY,
    Calls,
    Processes,
    private,
    public,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
TOKENS = 400
NOTICED_S = LEASE_S + 3
SILENCE_S = ProxySettings().stream_stall_s + 3
PATIENCE_S = 120.0


def asked(*, drawn: bool = False) -> pb.Generation:
    """Return a long request whose answer is the same each time."""
    generation = public(tokens_max=TOKENS)
    generation.sampling.temperature = 0.9 if drawn else 0.0
    if drawn:
        generation.sampling.seed = 11
    return generation


@dataclass
class Stream:
    """A stream, and all that came of it."""

    call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]
    node: str = ""
    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    started: int = 0
    finished: pb.Finished | None = None
    longest_gap_s: float = 0.0

    @classmethod
    def begin(cls, calls: Calls, generation: pb.Generation) -> Self:
        """Begin an answer."""
        request = pb.GenerateRequest(generation=generation)
        return cls(calls.inference.Generate(request, timeout=PATIENCE_S))

    async def read(self, tokens: int) -> None:
        """Read until so many tokens have come, or the end."""
        since_s = time.monotonic()
        while self.finished is None and len(self.token_ids) < tokens:
            event = await self.call.read()
            self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - since_s)
            since_s = time.monotonic()
            assert event is not grpc.aio.EOF, "the stream ended without its last event"
            self._take(event)

    async def rest(self) -> pb.Finished:
        """Read to the end."""
        await self.read(10 * TOKENS)
        assert self.finished is not None
        return self.finished

    def _take(self, event: pb.GenerateResponse) -> None:
        if event.HasField("started"):
            self.started += 1
            self.node = event.started.node.removeprefix("nodes/")
        elif event.HasField("chunk"):
            self.token_ids += event.chunk.token_ids
            self.text += event.chunk.text
        else:
            self.finished = event.finished


async def undisturbed(calls: Calls, generation: pb.Generation) -> Stream:
    """Return what the same request is answered where nothing happens."""
    stream = Stream.begin(calls, generation)
    finished = await stream.rest()
    assert finished.resumptions == 0
    assert len(stream.token_ids) == TOKENS
    return stream


def same(stream: Stream, whole: Stream) -> bool:
    """Return whether both callers have the same answer, to the token and the byte."""
    assert stream.started == 1
    return stream.token_ids == whole.token_ids and stream.text == whole.text


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("tokens", [1, 100])
async def test_stream_of_a_killed_node_is_that_of_an_undisturbed_run(
    federation: Processes,
    drawn: bool,  # noqa: FBT001 - a parameter of the test.
    tokens: int,
) -> None:
    """Its caller cannot tell, but for the number of resumptions."""
    async with federation.calls() as calls:
        whole = await undisturbed(calls, asked(drawn=drawn))
        stream = Stream.begin(calls, asked(drawn=drawn))
        await stream.read(tokens)

        federation.kill(stream.node)
        finished = await stream.rest()

    assert same(stream, whole)
    assert finished.resumptions == 1
    assert finished.completion_tokens == TOKENS


async def test_stream_survives_one_node_after_the_other(federation: Processes) -> None:
    """Two of three die; the third ends what both have begun."""
    async with federation.calls() as calls:
        whole = await undisturbed(calls, asked(drawn=True))
        stream = Stream.begin(calls, asked(drawn=True))
        await stream.read(50)
        federation.kill(stream.node)
        await stream.read(len(stream.token_ids) + 60)
        survivors = [name for name in federation.nodes if name != stream.node]
        busy = await busiest(calls, survivors)
        federation.kill(busy)
        finished = await stream.rest()

    assert same(stream, whole)
    assert finished.resumptions == 2


async def busiest(calls: Calls, nodes: list[str]) -> str:
    """Return which of these nodes runs a request of the router."""

    async def busy() -> str | None:
        for name in nodes:
            request = registry_pb2.GetNodeRequest(name=f"nodes/{name}")
            response = await calls.registry.GetNode(request, timeout=CALL_S)
            if response.node.requests_in_flight:
                return name
        return None

    return await until(busy, what="a node runs the stream")


async def test_stream_of_a_frozen_node_goes_on_when_its_lease_is_over(
    federation: Processes,
) -> None:
    """Its sockets stay open: only the lease tells, and nothing is said twice."""
    async with federation.calls() as calls:
        whole = await undisturbed(calls, asked())
        stream = Stream.begin(calls, asked())
        await stream.read(50)

        federation.freeze(stream.node)
        finished = await stream.rest()

    assert same(stream, whole)
    assert finished.resumptions == 1
    assert stream.longest_gap_s < NOTICED_S


async def test_kill_under_load_loses_no_answer_and_leaves_no_hold(
    federation: Processes,
) -> None:
    """Public streams end whole; private ones end or are charged, and none is held."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        whole = await undisturbed(calls, asked())
        streams = [Stream.begin(calls, asked()) for _ in range(6)]
        secret = [calls.stream(private(policy=LONG_POLICY)) for _ in range(2)]
        await asyncio.gather(*(stream.read(20) for stream in streams))

        federation.kill(streams[0].node)
        finished = await asyncio.gather(*(stream.rest() for stream in streams))
        for call in secret:
            call.cancel()

        async def settled() -> bool:
            return (await calls.account()).held_units == 0

        await until(settled, what="every hold is settled")

    assert all(same(stream, whole) for stream in streams)
    assert max(one.resumptions for one in finished) == 1


async def test_deaf_link_is_given_up_and_its_stream_goes_on(
    federation: Processes,
) -> None:
    """The node keeps its lease and says nothing more: silence tells, then a breaker.

    Without a breaker every request would wait for a connection that never stands.
    """
    async with linked(federation, "node-1") as link, federation.calls() as calls:
        whole = await undisturbed(calls, asked())
        stream = await at_node(calls, "node-1")
        await stream.read(50)

        link.deaf = True
        finished = await stream.rest()
        begin_s = time.monotonic()
        answers = [await calls.complete(public()) for _ in range(20)]
        took_s = time.monotonic() - begin_s

    assert same(stream, whole)
    assert finished.resumptions == 1
    assert stream.longest_gap_s < SILENCE_S
    assert {one.finished.completion_tokens for one in answers} == {4}
    assert "nodes/node-1" not in {one.started.node for one in answers}
    assert took_s < 2 * CONNECT_TIMEOUT_S + NOTICED_S


async def test_tokens_on_their_way_when_the_node_dies_are_made_again(
    federation: Processes,
) -> None:
    """What was sent and never arrived is nobody's: the next node makes it once more."""
    async with linked(federation, "node-1") as link, federation.calls() as calls:
        whole = await undisturbed(calls, asked(drawn=True))
        link.one_way_s = 0.3
        stream = await at_node(calls, "node-1", drawn=True)
        await stream.read(50)

        link.deaf = True
        federation.kill("node-1")
        finished = await stream.rest()

    assert same(stream, whole)
    assert finished.resumptions == 1


async def at_node(calls: Calls, node: str, *, drawn: bool = False) -> Stream:
    """Return a stream at this node; those elsewhere are ended."""

    async def found() -> Stream | None:
        stream = Stream.begin(calls, asked(drawn=drawn))
        await stream.read(1)
        if stream.node == node:
            return stream
        stream.call.cancel()
        return None

    return await until(found, what=f"a stream runs at {node}")


async def test_router_that_is_told_to_stop_ends_its_streams(
    federation: Processes,
) -> None:
    """An orderly stop costs no caller anything, even where a node dies meanwhile."""
    async with federation.calls() as calls:
        whole = await undisturbed(calls, asked())
        stream = Stream.begin(calls, asked())
        await stream.read(50)

        federation.terminate("router")
        federation.kill(stream.node)
        await stream.rest()
        status = await federation.wait_end("router")

    assert same(stream, whole)
    assert status == 0
