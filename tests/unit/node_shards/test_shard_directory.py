"""What a leader believes of shards: listed, of its model, and reached lately."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest

from federated_router.api.v1 import registry_pb2
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FederationError, ShardsMissing
from node.shards.directory import Directory, PipelineTerms, Wish
from node.shards.layers import LayerRange
from tests.support.scripted_shards import (
    DIGEST,
    MODEL,
    ScriptedList,
    ScriptedShard,
    offer_of,
    serving,
)

NOWHERE = "127.0.0.1:1"
ANY = Wish(tokens=8)


@dataclass
class Stage:
    """A directory with a scripted router and scripted shards around it."""

    directory: Directory
    listed: ScriptedList
    clock: ManualClock
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def add(self, name: str, first: int, end: int, **said: str) -> ScriptedShard:
        """Run a shard and list it; `said` is what the list has wrong of it."""
        shard = ScriptedShard(offer=offer_of(first, end))
        address = await self.stack.enter_async_context(serving(shard))
        self.put(name, said.get("address", address), offer_of(first, end))
        return shard

    def put(self, name: str, address: str, offer: registry_pb2.ShardOffer) -> None:
        """List a shard, whether it runs or not."""
        shard = registry_pb2.Shard(node=f"nodes/{name}", address=address, offer=offer)
        self.listed.shards.append(shard)

    def chain(self, wish: Wish = ANY) -> list[str] | None:
        """Return the nodes of the fastest chain."""
        found = self.directory.chain_now(wish)
        return None if found is None else [one.node for one in found]


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Return a directory for a model of four layers, which has not looked yet."""
    listed, clock = ScriptedList(), ManualClock()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(listed=listed))
        directory = Directory(
            PipelineTerms(
                model=MODEL,
                digest=DIGEST,
                layers=4,
                interval_s=2.0,
                connect_timeout_s=1.0,
                wait_s=0.1,
            ),
            router=grpc.aio.insecure_channel(address),
            open_channel=lambda at, _: grpc.aio.insecure_channel(at),
            clock=clock,
        )
        stack.push_async_callback(directory.close)
        yield Stage(directory, listed, clock, stack)


async def test_chain_is_of_shards_that_are_listed_and_answer() -> None:
    """Neither the list alone nor an old answer is enough."""
    async with staged() as stage:
        await stage.add("a", 0, 2)
        await stage.add("b", 2, 4)
        await stage.add("c", 2, 4, address=NOWHERE)
        assert stage.chain() is None

        await stage.directory.look()

        assert stage.chain() == ["nodes/a", "nodes/b"]
        assert set(stage.directory.link_ms) == {"nodes/a", "nodes/b"}
        assert stage.directory.weight_bytes == {"nodes/a": 7, "nodes/b": 7}


@pytest.mark.parametrize(
    "offer", [offer_of(2, 4, digest="1" * 64), offer_of(2, 5)], ids=["digest", "layers"]
)
async def test_shard_of_another_model_is_never_used(
    offer: registry_pb2.ShardOffer,
) -> None:
    """Its layers would make tokens, and wrong ones."""
    async with staged() as stage:
        await stage.add("a", 0, 2)
        shard = await stage.add("b", 2, 4)
        shard.offer = offer
        stage.listed.shards[1].offer.CopyFrom(offer)

        await stage.directory.look()

        assert stage.chain() is None
        assert set(stage.directory.link_ms) == {"nodes/a"}


async def test_node_that_runs_something_else_than_listed_is_not_used() -> None:
    """It was started anew, and the list is older than that."""
    async with staged() as stage:
        shard = await stage.add("a", 0, 4)
        await stage.directory.look()
        assert stage.chain() == ["nodes/a"]

        shard.offer = offer_of(0, 2)
        await stage.directory.look()

        assert stage.chain() is None


async def test_wish_rules_out_what_is_short_or_avoided() -> None:
    """A sequence must fit, and goes to no shard that refused it."""
    async with staged() as stage:
        await stage.add("a", 0, 4)
        await stage.directory.look()

        avoided = frozenset({("nodes/a", LayerRange(0, 4))})
        assert stage.chain(Wish(tokens=64)) == ["nodes/a"]
        assert stage.chain(Wish(tokens=65)) is None
        assert stage.chain(Wish(tokens=1, avoided=avoided)) is None


async def test_lost_node_is_left_alone_until_its_pause_is_over() -> None:
    """What failed an answer just now must not get the next one."""
    async with staged() as stage:
        await stage.add("a", 0, 4)
        await stage.directory.look()
        stage.directory.lost("nodes/a")
        await stage.directory.look()
        assert stage.chain() is None

        await stage.clock.advance(2.0)
        await stage.directory.look()

        assert stage.chain() == ["nodes/a"]


async def test_node_that_left_the_list_is_forgotten() -> None:
    """A lease ended: its operator took it away, or it is gone."""
    async with staged() as stage:
        await stage.add("a", 0, 4)
        await stage.directory.look()
        stage.listed.shards.clear()

        await stage.directory.look()

        assert stage.chain() is None
        assert not stage.directory.link_ms
        assert not stage.directory.weight_bytes


async def test_router_that_is_away_changes_nothing_that_is_known() -> None:
    """Answers go on over shards that still answer."""
    async with staged() as stage:
        await stage.add("a", 0, 4)
        await stage.directory.look()
        stage.listed.fails = True

        with pytest.raises(FederationError):
            await stage.directory.look()

        assert stage.chain() == ["nodes/a"]


async def test_waiting_for_a_chain_ends_with_the_chain_or_in_time() -> None:
    """An answer waits for a shard that comes back, and not for ever."""
    async with staged() as stage:
        with pytest.raises(ShardsMissing):
            await stage.directory.chain(ANY)
        await stage.add("a", 0, 4)
        running = asyncio.create_task(stage.directory.run())
        try:
            # The first look is at once.
            found = await stage.directory.chain(ANY)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        assert [one.node for one in found] == ["nodes/a"]
