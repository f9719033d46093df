"""A registry, shard nodes and a leader in one event loop, over mutual TLS on loopback.

Nothing is scripted: servers, streams and layers are the product's. A test may end a
shard node without a word, start another, and look at what each holds.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from federated_router.api.v1 import registry_pb2, shards_pb2
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import ServerSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import (
    BoundServer,
    Health,
    ServiceBinding,
    build_server,
)
from federated_router.kit.identity import Role
from federated_router.registry.membership import Shard
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.registry.service import RegistryServicer
from node.engine.limits import EngineLimits
from node.model_settings import ModelSettings, PipelineSettings
from node.shards.layers import LayerRange
from node.shards.pipeline_engine import PipelineEngine
from node.shards.sequences import ShardLimits
from node.shards.service import ShardServicer, offer_of
from node.shards.shard_engine import ShardEngine, ShardSource
from node.shards.wiring import pipeline_engine
from tests.support.fix_pki import DOMAIN, Pki

MODEL = "models/m"
CONTEXT_TOKENS = 128
LIMITS = EngineLimits(slots=4, private_slots=1, waiting_max=8)
SHARD_LIMITS = ShardLimits(
    slots=6,
    context_tokens_max=CONTEXT_TOKENS,
    frame_tokens_max=32,
    sequence_frames_max=4,
    sequence_idle_s=60.0,
)
PIPELINE = PipelineSettings(
    frame_tokens_max=8,
    frame_timeout_s=20.0,
    connect_timeout_s=30.0,
    shards_wait_s=20.0,
    discovery_interval_s=0.2,
)
_REGISTRY = registry_pb2.DESCRIPTOR.services_by_name["NodeRegistryService"]
_SHARDS = shards_pb2.DESCRIPTOR.services_by_name["ShardService"]


@dataclass(slots=True)
class ShardNode:
    """A shard behind its own server."""

    name: str
    engine: ShardEngine
    servicer: ShardServicer
    bound: BoundServer

    async def die(self) -> None:
        """End the server at once; callers see a cut connection."""
        await self.bound.server.stop(None)


@dataclass(slots=True)
class PipelineWorld:
    """The registry, and everything that was started in this world."""

    pki: Pki
    registry: Registry
    router: BoundServer
    stack: AsyncExitStack
    nodes: dict[str, ShardNode] = field(default_factory=dict)

    async def shard(
        self,
        name: str,
        directory: Path,
        layers: tuple[int, int],
        limits: ShardLimits = SHARD_LIMITS,
        *,
        address: str | None = None,
    ) -> ShardNode:
        """Run layers [first, end) of a model at a node and register it.

        `address` is what the registry is told, where it is not the node's own.
        """
        source = ShardSource(MODEL, directory, LayerRange(*layers), "auto", 1)
        engine = ShardEngine(source, limits)
        await engine.start()
        self.stack.push_async_callback(engine.stop)
        servicer = ShardServicer({MODEL: engine}, SystemClock())
        bound = await serve(
            self.pki, Role.NODE, name, ServiceBinding(_SHARDS, servicer)
        )
        self.stack.push_async_callback(bound.server.stop, None)
        self.nodes[name] = ShardNode(name, engine, servicer, bound)
        self.register(name, address=address or bound.address)
        return self.nodes[name]

    def register(self, name: str, *, address: str) -> None:
        """Tell the registry of a shard."""
        offer = offer_of(self.nodes[name].engine)
        shard = Shard(
            model=offer.model,
            digest=offer.model_digest,
            first_layer=offer.first_layer,
            end_layer=offer.end_layer,
            slots=offer.slots,
            context_tokens_max=offer.context_tokens_max,
            frame_tokens_max=offer.frame_tokens_max,
            token_ms=offer.token_ms,
        )
        self.registry.register(
            name=f"nodes/{name}",
            address=address,
            region="north",
            offers=(),
            shards=(shard,),
        )

    async def leader(
        self,
        directory: Path,
        *,
        limits: EngineLimits = LIMITS,
        pipeline: PipelineSettings = PIPELINE,
    ) -> PipelineEngine:
        """Start an engine that leads pipelines of this registry's shards."""
        tls = self.pki.tls(Role.NODE, "leader")
        engine = pipeline_engine(
            ModelSettings(name="m", path=directory, pipeline=pipeline),
            limits=limits,
            channels=Channels(tls, trust_domain=DOMAIN),
            router_address=self.router.address,
            clock=SystemClock(),
        )
        self.stack.push_async_callback(engine.stop)
        await engine.start()
        return engine

    async def released(self, names: Sequence[str]) -> None:
        """Return once these shards hold nothing any more."""
        async with asyncio.timeout(30):
            while any(self.nodes[one].engine.sequences.open for one in names):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def pipeline_world(pki: Pki) -> AsyncIterator[PipelineWorld]:
    """Run a registry; end everything that was started in this world."""
    clock = SystemClock()
    registry = Registry(RegistrySettings(lease_s=3600.0), clock)
    servicer = RegistryServicer(registry, clock, in_flight=lambda _: 0)
    router = await serve(pki, Role.ROUTER, "r1", ServiceBinding(_REGISTRY, servicer))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(router.server.stop, None)
        yield PipelineWorld(pki, registry, router, stack)


async def serve(
    pki: Pki, role: Role, name: str, binding: ServiceBinding
) -> BoundServer:
    """Return a started server of one service."""
    bound = build_server(
        settings=ServerSettings(),
        tls=pki.tls(role, name),
        trust_domain=DOMAIN,
        bindings=[binding],
        health_state=Health([binding.descriptor.full_name]),
    )
    await bound.server.start()
    return bound
