"""Builds the shards and the pipelines that a node's settings name; starts nothing.

Decides how settings become limits. Refuses to know the node's other services.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from federated_router.api.v1 import registry_pb2, shards_pb2
from federated_router.kit.clock import Clock
from federated_router.kit.config import ConfigurationError
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Role
from node.config import NodeSettings
from node.engine.device_map import causal_config
from node.engine.facts import EngineFacts, ModelPart
from node.engine.limits import EngineLimits
from node.model_settings import ModelSettings, PipelineSettings, ShardSettings
from node.shards.directory import Directory, PipelineTerms, Wish
from node.shards.layers import LayerRange
from node.shards.leader_model import LeaderModel, LeaderSource
from node.shards.pipeline_engine import PipelineEngine, PipelineLimits
from node.shards.sequences import ShardLimits
from node.shards.service import ShardServicer, offer_of
from node.shards.shard_engine import ShardEngine, ShardSource

_SHARDS = shards_pb2.DESCRIPTOR.services_by_name["ShardService"]


@dataclass(frozen=True, slots=True)
class ShardLimb:
    """What a node does with its shards; empty where it has none.

    `resources` load the layers and write the offers, so that they come before the
    lease. `drain` ends streams that are idle: without it an orderly stop would wait
    its whole grace for them.
    """

    shards: Mapping[str, ShardEngine]
    bindings: Sequence[ServiceBinding]
    resources: Sequence[AbstractAsyncContextManager[object]]
    drain: Callable[[], Awaitable[None]]
    resume: Callable[[], Awaitable[None]]


def shard_limb(
    settings: NodeSettings, *, registration: registry_pb2.Node, clock: Clock
) -> ShardLimb:
    """Return the shards that the settings name, with their service.

    `registration` is told of them once they run. Raises ConfigurationError for a
    model that is named twice.
    """
    shards = {f"models/{one.model}": _shard(one) for one in settings.shards}
    if len(shards) != len(settings.shards):
        raise ConfigurationError("shards: name each model once; join its layers")
    servicer = ShardServicer(shards, clock)
    return ShardLimb(
        shards=shards,
        bindings=[ServiceBinding(_SHARDS, servicer)] if shards else [],
        resources=[_running(shards, registration)] if shards else [],
        drain=servicer.drain,
        resume=servicer.resume,
    )


def _shard(settings: ShardSettings) -> ShardEngine:
    context = settings.context_tokens_max or _context_of(settings)
    return ShardEngine(
        ShardSource(
            model=f"models/{settings.model}",
            directory=settings.path,
            layers=LayerRange(settings.first_layer, settings.end_layer),
            data_type=settings.data_type.value,
            threads=settings.threads,
        ),
        ShardLimits(
            slots=settings.slots,
            context_tokens_max=context,
            frame_tokens_max=settings.frame_tokens_max,
            sequence_frames_max=settings.sequence_frames_max,
            sequence_idle_s=settings.sequence_idle_s,
        ),
    )


def _context_of(settings: ShardSettings) -> int:
    try:
        config = causal_config(settings.path).get_text_config()
    except ValueError as error:
        raise ConfigurationError(f"shards.path: {error}") from error
    own = getattr(config, "max_position_embeddings", None)
    if own is None:
        raise ConfigurationError("shards.context_tokens_max: the model names none")
    return int(own)


@asynccontextmanager
async def _running(
    shards: Mapping[str, ShardEngine], registration: registry_pb2.Node
) -> AsyncIterator[None]:
    """Start every shard and write what is offered; stop them at the end."""
    try:
        for name, shard in shards.items():
            try:
                await shard.start()
            except ValueError as error:
                raise ConfigurationError(f"shards {name}: {error}") from error
            registration.shards.append(offer_of(shard))
        yield
    finally:
        await asyncio.gather(*(shard.stop() for shard in shards.values()))


def shard_facts(shard: ShardEngine) -> EngineFacts:
    """Return what operators see of a shard."""
    facts = shard.facts
    part = ModelPart(
        f"model.layers.{shard.source.layers}", facts.device, facts.weight_bytes
    )
    return EngineFacts(
        architecture=facts.architecture,
        data_type=str(facts.data_type).removeprefix("torch."),
        parts=(part,),
        cache_bytes=shard.cache_bytes,
    )


def pipeline_engine(
    model: ModelSettings,
    *,
    limits: EngineLimits,
    channels: Channels,
    router_address: str,
    clock: Clock,
) -> PipelineEngine:
    """Return the engine of a model that has `path` and `pipeline`.

    Raises:
        TypeError: it has not.
    """
    pipeline, path = model.pipeline, model.path
    if pipeline is None or path is None:
        raise TypeError("a pipeline needs a path and its settings")
    name = f"models/{model.name}"

    def directory(led: LeaderModel) -> Directory:
        return Directory(
            _terms(name, led, pipeline),
            router=channels.renewing(router_address, role=Role.ROUTER),
            open_channel=lambda address, node: channels.open(
                address, role=Role.NODE, peer_id=node
            ),
            clock=clock,
        )

    return PipelineEngine(
        name,
        source=LeaderSource(
            directory=path,
            data_type=model.data_type.value,
            threads=model.threads,
            context_tokens_max=model.context_tokens_max,
        ),
        limits=limits,
        pipeline=PipelineLimits(
            frame_tokens_max=pipeline.frame_tokens_max,
            frame_timeout_s=pipeline.frame_timeout_s,
            replacements_max=pipeline.replacements_max,
        ),
        make_directory=directory,
    )


def _terms(name: str, led: LeaderModel, pipeline: PipelineSettings) -> PipelineTerms:
    return PipelineTerms(
        model=name,
        digest=led.ends.digest,
        layers=led.ends.layers,
        interval_s=pipeline.discovery_interval_s,
        connect_timeout_s=pipeline.connect_timeout_s,
        wait_s=pipeline.shards_wait_s,
    )


def pipeline_facts(engine: PipelineEngine) -> EngineFacts:
    """Return what operators see of a pipeline: its ends here, its layers elsewhere."""
    ends, directory = engine.model.ends, engine.directory
    chain = directory.chain_now(Wish(tokens=1)) or ()
    layers = tuple(
        ModelPart(
            f"model.layers.{shard.layers}",
            shard.node,
            directory.weight_bytes.get(shard.node, 0),
        )
        for shard in chain
    )
    here = ModelPart("embeddings, norm, head", ends.device, ends.weight_bytes)
    return EngineFacts(
        architecture=ends.architecture,
        data_type=str(ends.data_type).removeprefix("torch."),
        parts=(here, *layers),
    )
