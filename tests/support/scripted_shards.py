"""A shard node and a router's list without layers: what they say is scripted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from federated_router.api.v1 import (
    registry_pb2,
    registry_pb2_grpc,
    shards_pb2,
    shards_pb2_grpc,
)

MODEL = "models/m"
DIGEST = "0" * 64


def offer_of(first: int, end: int, digest: str = DIGEST) -> registry_pb2.ShardOffer:
    """Return the offer of layers [first, end)."""
    return registry_pb2.ShardOffer(
        model=MODEL,
        model_digest=digest,
        first_layer=first,
        end_layer=end,
        slots=4,
        context_tokens_max=64,
        token_ms=1.0,
        frame_tokens_max=8,
    )


@dataclass
class ScriptedShard(shards_pb2_grpc.ShardServiceServicer):
    """Answers each frame at once, but `silent` sequences never; keeps what it got.

    A frame of the sequence `ends_at` ends the whole stream.
    """

    offer: registry_pb2.ShardOffer = field(default_factory=lambda: offer_of(0, 2))
    silent: frozenset[int] = frozenset()
    ends_at: int = 0
    got: list[shards_pb2.ForwardRequest] = field(default_factory=list)
    streams: int = 0

    async def Forward(  # noqa: N802 - named by the contract.
        self,
        request_iterator: AsyncIterator[shards_pb2.ForwardRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[shards_pb2.ForwardResponse]:
        """Open whatever is asked for."""
        self.streams += 1
        async for frame in request_iterator:
            self.got.append(frame)
            if frame.sequence == self.ends_at:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            if frame.sequence not in self.silent and not frame.HasField("close"):
                yield shards_pb2.ForwardResponse(
                    sequence=frame.sequence, opened=shards_pb2.SequenceOpened()
                )

    async def GetShard(  # noqa: N802 - named by the contract.
        self, request: shards_pb2.GetShardRequest, _: grpc.aio.ServicerContext
    ) -> shards_pb2.GetShardResponse:
        """Say what is run here."""
        del request
        return shards_pb2.GetShardResponse(offer=self.offer, weight_bytes=7)


@dataclass
class ScriptedList(registry_pb2_grpc.NodeRegistryServiceServicer):
    """A router that lists these shards, or fails."""

    shards: list[registry_pb2.Shard] = field(default_factory=list)
    fails: bool = False

    async def ListShards(  # noqa: N802 - named by the contract.
        self,
        request: registry_pb2.ListShardsRequest,
        context: grpc.aio.ServicerContext,
    ) -> registry_pb2.ListShardsResponse:
        """List them, on one page."""
        del request
        if self.fails:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return registry_pb2.ListShardsResponse(shards=self.shards)


@asynccontextmanager
async def serving(
    shard: ScriptedShard | None = None, listed: ScriptedList | None = None
) -> AsyncIterator[str]:
    """Serve them without certificates; yield the address."""
    server = grpc.aio.server()
    if shard is not None:
        shards_pb2_grpc.add_ShardServiceServicer_to_server(shard, server)
    if listed is not None:
        registry_pb2_grpc.add_NodeRegistryServiceServicer_to_server(listed, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
