"""ShardService: between the contract and the shards of this node."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import ClassVar

import grpc

from federated_router.api.v1 import registry_pb2, shards_pb2
from federated_router.api.v1 import shards_pb2_grpc as pb_grpc
from federated_router.kit.clock import Clock
from federated_router.kit.errors import Draining, ModelUnknown
from federated_router.kit.identity import Role
from federated_router.kit.names import resource_id
from node.shards.shard_engine import ShardEngine
from node.shards.shard_stream import ShardStream

_NODE = frozenset({Role.NODE})
_SWEEPS_PER_IDLE = 4


class ShardServicer(pb_grpc.ShardServiceServicer):
    """Serves the leaders of pipelines. `shards` are by model name, `models/NAME`."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "Forward": _NODE,
        "GetShard": _NODE | {Role.OPERATOR},
    }
    UNTIMED: ClassVar[frozenset[str]] = frozenset({"Forward"})
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"Forward"})

    def __init__(self, shards: Mapping[str, ShardEngine], clock: Clock) -> None:
        self._shards = shards
        self._clock = clock
        self._streams: set[ShardStream] = set()
        self._draining = False

    async def Forward(
        self,
        requests: AsyncIterator[shards_pb2.ForwardRequest],
        _: grpc.aio.ServicerContext,
    ) -> AsyncGenerator[shards_pb2.ForwardResponse, None]:
        """Run one leader's frames."""
        if self._draining:
            raise Draining("This shard is draining; use another.", retry_after_s=1.0)
        stream = ShardStream(self._shards, self._clock, lambda: self._draining)
        self._streams.add(stream)
        tasks = [
            asyncio.create_task(stream.read(requests)),
            asyncio.create_task(self._sweep(stream)),
        ]
        try:
            async with aclosing(stream.answers()) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self._streams.discard(stream)
            stream.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def GetShard(
        self, request: shards_pb2.GetShardRequest, _: grpc.aio.ServicerContext
    ) -> shards_pb2.GetShardResponse:
        """Return what runs here of a model."""
        resource_id(request.model, "models", field="model")
        shard = self._shards.get(request.model)
        if shard is None:
            raise ModelUnknown(
                f"No layers of '{request.model}' run here.",
                metadata={"model": request.model},
            )
        return shards_pb2.GetShardResponse(
            offer=offer_of(shard),
            sequences_open=shard.sequences.open,
            weight_bytes=shard.facts.weight_bytes,
            cache_bytes=shard.cache_bytes,
        )

    async def drain(self) -> None:
        """Open no more sequences; end each stream once it holds none."""
        self._draining = True
        for stream in self._streams:
            if stream.is_idle:
                stream.end()

    async def resume(self) -> None:
        """Open sequences again."""
        self._draining = False

    async def _sweep(self, stream: ShardStream) -> None:
        """End forgotten sequences for as long as the stream lasts."""
        idle_s = min(one.limits.sequence_idle_s for one in self._shards.values())
        while True:
            await self._clock.sleep(idle_s / _SWEEPS_PER_IDLE)
            stream.sweep()


def offer_of(shard: ShardEngine) -> registry_pb2.ShardOffer:
    """Return what the registry is told of a running shard."""
    return registry_pb2.ShardOffer(
        model=shard.source.model,
        model_digest=shard.facts.digest,
        first_layer=shard.source.layers.first,
        end_layer=shard.source.layers.end,
        slots=shard.limits.slots,
        context_tokens_max=shard.limits.context_tokens_max,
        frame_tokens_max=shard.limits.frame_tokens_max,
        token_ms=shard.facts.token_ms,
    )
