"""A leader's stream to a shard node: it ends as a whole, and nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.kit.errors import FederationError
from node.shards.link import LinkLost, ShardLink
from node.shards.links import Links
from tests.support.running import eventually
from tests.support.scripted_shards import MODEL, ScriptedShard, serving

NODE = "nodes/a"
NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def linked(shard: ScriptedShard) -> AsyncIterator[ShardLink]:
    """Open a link to a scripted node."""
    async with serving(shard) as address:
        channel = grpc.aio.insecure_channel(address)
        link = ShardLink(NODE, address, channel, connect_timeout_s=5.0)
        try:
            yield link
        finally:
            await link.close()


def opening(sequence: int) -> pb.ForwardRequest:
    """Return a frame that is answered."""
    return pb.ForwardRequest(sequence=sequence, open=pb.OpenSequence(model=MODEL))


async def test_sequences_share_one_stream_and_each_has_its_own_answer() -> None:
    """A stream for each answer would cost a handshake for each."""
    shard = ScriptedShard()
    async with linked(shard) as link:
        numbers = [link.begin() for _ in range(20)]

        answers = await asyncio.gather(
            *(link.request(opening(one), timeout_s=10) for one in reversed(numbers))
        )

        assert [one.sequence for one in answers] == numbers[::-1]
        assert len(set(numbers)) == 20
        assert shard.streams == 1


async def test_silence_ends_the_link_for_all_who_wait_on_it() -> None:
    """A frame that does not come back says that none can be believed to."""
    async with linked(ScriptedShard(silent=frozenset({1, 2}))) as link:
        first, second = link.begin(), link.begin()
        patient = asyncio.ensure_future(link.request(opening(second), timeout_s=60))

        with pytest.raises(LinkLost):
            await link.request(opening(first), timeout_s=0.05)

        with pytest.raises(LinkLost):
            async with asyncio.timeout(30):
                await patient
        assert link.is_lost
        with pytest.raises(LinkLost):
            link.send(opening(first))


async def test_stream_that_the_node_ends_is_lost_at_once() -> None:
    """Whoever waits goes on elsewhere before its own time is over."""
    async with linked(ScriptedShard(ends_at=1)) as link:
        with pytest.raises(LinkLost):
            async with asyncio.timeout(30):
                await link.request(opening(link.begin()), timeout_s=60)
        await eventually(lambda: link.is_lost)


async def test_node_that_cannot_be_reached_is_lost_within_its_time() -> None:
    """Connecting has a limit of its own, far below that of an answer."""
    channel = grpc.aio.insecure_channel(NOWHERE)
    link = ShardLink(NODE, NOWHERE, channel, connect_timeout_s=0.1)

    with pytest.raises(LinkLost):
        async with asyncio.timeout(30):
            await link.request(opening(link.begin()), timeout_s=60)

    assert link.is_lost
    await link.close()


async def test_ended_sequence_is_forgotten_at_both_ends() -> None:
    """The node gives its slot to another; and the link may be closed then."""
    shard = ScriptedShard()
    async with linked(shard) as link:
        number = link.begin()
        await link.request(opening(number), timeout_s=10)
        assert not link.is_idle

        link.end(number)

        assert link.is_idle
        await eventually(lambda: shard.got[-1].HasField("close"))
        assert shard.got[-1].sequence == number


async def test_measuring_tells_what_is_run_and_how_far_it_is() -> None:
    """The chain is planned from it; a node that is away tells so as an error."""
    shard = ScriptedShard()
    async with linked(shard) as link:
        told, took_ms = await link.measure(MODEL, calls=3, timeout_s=10)

        assert told.offer == shard.offer
        assert 0 < took_ms < 10_000
    with pytest.raises(FederationError):
        await ShardLink(
            NODE, NOWHERE, grpc.aio.insecure_channel(NOWHERE), connect_timeout_s=0.1
        ).measure(MODEL, calls=1, timeout_s=0.2)


async def test_link_is_kept_until_its_node_moves_or_it_is_lost() -> None:
    """A connection is made once, and never used beyond its end."""
    opened: list[tuple[str, str]] = []

    def channel(address: str, node_id: str) -> grpc.aio.Channel:
        opened.append((address, node_id))
        return grpc.aio.insecure_channel(address)

    links = Links(channel, connect_timeout_s=0.1)
    first = links.to(NODE, NOWHERE)

    assert links.to(NODE, NOWHERE) is first
    moved = links.to(NODE, "127.0.0.1:2")
    assert moved is not first
    await eventually(lambda: first.is_lost)
    await moved.close()
    assert links.to(NODE, "127.0.0.1:2") is not moved

    assert opened == [(NOWHERE, "a"), ("127.0.0.1:2", "a"), ("127.0.0.1:2", "a")]
    await links.close()


async def test_link_to_a_node_that_left_stays_until_its_last_sequence() -> None:
    """A node that is not listed for a moment must not end the answers that it makes."""
    links = Links(
        lambda address, _: grpc.aio.insecure_channel(address), connect_timeout_s=0.1
    )
    busy, idle = links.to(NODE, NOWHERE), links.to("nodes/b", NOWHERE)
    number = busy.begin()

    links.close_absent({"nodes/c"})
    await eventually(lambda: idle.is_lost)
    assert links.to(NODE, NOWHERE) is busy
    busy.end(number)
    links.close_absent({"nodes/c"})

    await eventually(lambda: busy.is_lost)
    await links.close()
