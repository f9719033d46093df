"""What leaves together, and when: bursts in few messages, first and last at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.connections import NodeConnections
from federated_router.proxy.node_stream import NodeStream
from federated_router.proxy.pace import Pace
from federated_router.proxy.relay import Relay
from federated_router.proxy.sent import Sent
from federated_router.proxy.settings import ProxySettings
from tests.unit.proxy.test_recording import CANDIDATE

STARTED = pb.GenerateResponse(started=pb.Started(node="nodes/a"))
FINISHED = pb.GenerateResponse(finished=pb.Finished(completion_tokens=3))
LONG_S = 30.0


def chunk(token: int) -> pb.GenerateResponse:
    """Return one token, with its probability."""
    told = pb.Chunk(text=f" {token}", token_ids=[token])
    told.logprobs.add(token_id=token)
    return pb.GenerateResponse(chunk=told)


class Node:
    """A node that says what it is told to say, when it is."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[pb.GenerateResponse | None] = asyncio.Queue()

    def say(self, *events: pb.GenerateResponse | None) -> None:
        """Send events; None ends the call."""
        for event in events:
            self._said.put_nowait(event)

    async def connected(self, _: object) -> "Node":
        """Return a connection: this node."""
        return self

    @property
    def stub(self) -> "Node":
        """Return a stub: this node."""
        return self

    def hear(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def let_finish(self, node: str) -> None:
        """Fail: no test is that slow."""
        raise AssertionError(node)

    def Generate(self, *_: object, **__: object) -> "Node":  # noqa: N802 - the stub's.
        """Begin the one call."""
        return self

    def cancel(self) -> None:
        """End the call."""

    async def __aiter__(self) -> AsyncIterator[pb.GenerateResponse]:
        while (event := await self._said.get()) is not None:
            yield event


class Unsaid:
    """A count that nobody asks."""

    def abandoned(self) -> None:
        """End it."""


@dataclass
class World:
    """A relay between a node and a caller; `gather_s` as with so many streams."""

    gather_s: float = 0.0
    bytes_max: int = 1 << 20
    node: Node = field(default_factory=Node)
    relay: Relay = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        stream = NodeStream(
            cast("NodeConnections", self.node),
            CANDIDATE,
            pb.GenerateRequest(),
            timeout_s=LONG_S,
            metadata=(),
            bytes_max=self.bytes_max,
            stall_s=LONG_S,
        )
        self.pace = Pace(ProxySettings(stream_gather_s=self.gather_s))
        self.relay = Relay(cast("Sent", Unsaid()), stream, self.pace, bytes_max=1 << 20)

    async def next(self) -> Sequence[pb.GenerateResponse]:
        """Return what leaves next, at once or a moment later."""
        async with asyncio.timeout(LONG_S / 3):
            return await self.relay.events()


async def test_first_chunk_leaves_at_once() -> None:
    """However long chunks gather, nobody waits for the first."""
    at = World(gather_s=LONG_S)
    at.node.say(STARTED)
    assert list(await at.next()) == [STARTED]

    at.node.say(chunk(1))

    assert list(await at.next()) == [chunk(1)]


async def test_what_comes_within_the_pace_leaves_as_one() -> None:
    """Text, token ids and probabilities are all there, in their order."""
    at = World(gather_s=0.05)
    at.node.say(chunk(0))
    await at.next()
    for token in range(1, 6):
        at.node.say(chunk(token))

    (joined,) = await at.next()

    assert joined.chunk.text == " 1 2 3 4 5"
    assert list(joined.chunk.token_ids) == [1, 2, 3, 4, 5]
    assert [one.token_id for one in joined.chunk.logprobs] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("end", [FINISHED, None])
async def test_an_end_waits_for_nothing(end: pb.GenerateResponse | None) -> None:
    """The rest of an answer leaves with its end, in the middle of a pause too."""
    at = World(gather_s=LONG_S)
    at.node.say(chunk(0))
    await at.next()
    leaving = asyncio.create_task(at.next())
    await asyncio.sleep(0.01)
    assert not leaving.done()

    at.node.say(chunk(1), end)

    assert list(await leaving) == [chunk(1), *([FINISHED] if end else [])]


async def test_a_node_that_must_wait_ends_the_pause() -> None:
    """Where as much is unread as may be, gathering more is of no use."""
    at = World(gather_s=LONG_S, bytes_max=1)
    at.node.say(chunk(0))
    await at.next()

    at.node.say(chunk(1), chunk(2))

    assert list(await at.next()) == [chunk(1)]


def test_pace_grows_with_the_streams_up_to_its_limit() -> None:
    """A lone stream is as quick as configured, and no crowd makes one slower."""
    pace = Pace(
        ProxySettings(
            stream_gather_s=0.002, stream_gather_each_s=0.001, stream_gather_s_max=0.01
        )
    )
    seen = []
    for _ in range(20):
        pace.begun()
        seen.append(pace.gather_s)
    for _ in range(20):
        pace.ended()

    assert seen[:5] == pytest.approx([0.002, 0.002, 0.003, 0.004, 0.005])
    assert max(seen) == pytest.approx(0.01)
    assert pace.gather_s == pytest.approx(0.002)


async def test_a_relay_counts_as_a_stream_until_it_is_closed_once() -> None:
    """Closed twice it must not make room for two."""
    at = World()
    assert at.pace.running == 1

    await at.relay.aclose()
    await at.relay.aclose()

    assert at.pace.running == 0
