"""EngineService at the node: what runs its models, and where their parts lie.

Decides how facts become messages; refuses to know how engines run.
"""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from federated_router.api.v1 import engine_pb2 as pb
from federated_router.api.v1 import engine_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2
from federated_router.kit.identity import Role
from federated_router.kit.pages import page_of
from node.engine.facts import EngineFacts, EngineKind, ModelPart
from node.offers import private_support
from node.served_model import NO_PRIVATE, ServedModel
from node.shards.shard_engine import ShardEngine
from node.shards.wiring import shard_facts

_KINDS = {
    EngineKind.TRANSFORMERS: pb.ENGINE_KIND_TRANSFORMERS,
    EngineKind.OPENAI: pb.ENGINE_KIND_OPENAI,
    EngineKind.PIPELINE: pb.ENGINE_KIND_PIPELINE,
}


class EngineServicer(pb_grpc.EngineServiceServicer):
    """Serves operators; `models` and `shards` are by `models/NAME`."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ListEngines": frozenset({Role.OPERATOR})
    }

    def __init__(
        self, models: Mapping[str, ServedModel], shards: Mapping[str, ShardEngine]
    ) -> None:
        self._models = models
        self._shards = shards

    async def ListEngines(
        self, request: pb.ListEnginesRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListEnginesResponse:
        """Return a page of the engines of this node."""
        engines = [
            *map(engine_of, self._models.values()),
            *(shard_of(name, shard) for name, shard in self._shards.items()),
        ]
        page, token = page_of(
            sorted(engines, key=_key),
            _key,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListEnginesResponse(engines=page, next_page_token=token)


def engine_of(served: ServedModel) -> pb.Engine:
    """Return what can be told of a model's engine now."""
    load = served.chat.load()
    engine = _of_facts(served.chat.facts())
    engine.model = served.name
    engine.kind = _KINDS[served.kind]
    engine.context_tokens_max = served.chat.context_tokens_max
    engine.slots = served.slots
    engine.requests_running = load.running
    engine.requests_waiting = load.waiting
    engine.private_support = private_support(served)
    engine.private_refusal = served.private_refusal
    return engine


def shard_of(name: str, shard: ShardEngine) -> pb.Engine:
    """Return what can be told of a shard now."""
    engine = _of_facts(shard_facts(shard))
    engine.model = name
    engine.kind = pb.ENGINE_KIND_SHARD
    engine.context_tokens_max = shard.limits.context_tokens_max
    engine.slots = shard.limits.slots
    engine.requests_running = shard.sequences.open
    engine.private_support = inference_pb2.PRIVATE_SUPPORT_REFUSED
    engine.private_refusal = NO_PRIVATE[EngineKind.SHARD]
    return engine


def _of_facts(facts: EngineFacts) -> pb.Engine:
    return pb.Engine(
        architecture=facts.architecture,
        data_type=facts.data_type,
        quantisation=facts.quantisation,
        parts=map(part_of, facts.parts),
        cache_bytes=facts.cache_bytes,
        prefix_cache_bytes=facts.prefix_cache_bytes,
        prefix_cache_bytes_max=facts.prefix_cache_bytes_max,
    )


def part_of(part: ModelPart) -> pb.ModelPart:
    """Return a part of a model for the wire."""
    return pb.ModelPart(
        modules=part.modules, device=part.device, weight_bytes=part.weight_bytes
    )


def _key(engine: pb.Engine) -> str:
    """Return what orders engines: a node may lead a model and run a shard of it."""
    return f"{engine.model}/{engine.kind}"
