"""Builds what runs each configured model, and starts nothing.

Decides by the settings which engine a model gets: this process, another server or a
pipeline of shards. Refuses to know requests and leases.
"""

from collections.abc import Sequence
from functools import partial

from federated_router.kit.clock import Clock
from federated_router.kit.grpc_client import Channels
from federated_router.privacy.policy import PrivatePolicy
from node.config import NodeSettings
from node.engine.chat import TokenChat
from node.engine.device_map import ModelSource
from node.engine.facts import EngineFacts, EngineKind
from node.engine.layout import model_parts
from node.engine.limits import EngineLimits
from node.engine.pass_memory import PassShape
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from node.model_settings import ModelSettings, QuantisationKind, UpstreamSettings
from node.openai.engine import UpstreamEngine
from node.private_model import PrivateModel
from node.served_model import ServedModel
from node.shards.wiring import pipeline_engine, pipeline_facts


def served_model(
    model: ModelSettings, settings: NodeSettings, *, channels: Channels, clock: Clock
) -> ServedModel:
    """Return a model with the engine that its settings name, not yet started."""
    if model.upstream is not None:
        return _upstream(model, model.upstream)
    if model.pipeline is not None:
        return _pipeline(model, settings, channels=channels, clock=clock)
    return _in_process(model, settings)


def limits_of(model: ModelSettings) -> EngineLimits:
    """Return how many requests the model takes at once."""
    return EngineLimits(
        slots=model.slots,
        private_slots=model.private_slots,
        waiting_max=model.waiting_max,
    )


def _upstream(model: ModelSettings, upstream: UpstreamSettings) -> ServedModel:
    return ServedModel(
        name=f"models/{model.name}",
        kind=EngineKind.OPENAI,
        chat=UpstreamEngine(upstream, limits_of(model)),
        slots=model.slots,
    )


def _pipeline(
    model: ModelSettings, settings: NodeSettings, *, channels: Channels, clock: Clock
) -> ServedModel:
    engine = pipeline_engine(
        model,
        limits=limits_of(model),
        channels=channels,
        router_address=settings.registration.router_address,
        clock=clock,
    )
    chat = TokenChat(engine, facts=partial(pipeline_facts, engine), probe=engine.probe)
    return ServedModel(
        name=f"models/{model.name}",
        kind=EngineKind.PIPELINE,
        chat=chat,
        slots=model.slots,
    )


def _in_process(model: ModelSettings, settings: NodeSettings) -> ServedModel:
    name = f"models/{model.name}"
    policies = [one.policy() for one in settings.policies]
    engine = TransformersEngine(_transformers_settings(model, policies))
    chat = TokenChat(engine, facts=partial(_facts_of, engine, model))
    private = PrivateModel(
        name=name,
        engine=engine,
        record_template=model.record_template,
        policies=policies,
        tokenising=chat.tokenising,
    )
    return ServedModel(
        name=name,
        kind=EngineKind.TRANSFORMERS,
        chat=chat,
        slots=model.slots,
        private=private,
    )


def _transformers_settings(
    model: ModelSettings, policies: Sequence[PrivatePolicy]
) -> TransformersSettings:
    if model.path is None:
        raise TypeError("a model without a path does not run in this process")
    source = ModelSource(
        directory=model.path,
        memory_max=model.device_memory,
        offload_directory=model.offload_directory,
        data_type=model.data_type.value,
        int8_weights=model.quantisation is QuantisationKind.INT8_WEIGHTS,
    )
    return TransformersSettings(
        source=source,
        limits=limits_of(model),
        context_tokens_max=model.context_tokens_max,
        prefill_tokens_max=model.prefill_tokens_max,
        threads=model.threads,
        prefix_cache_bytes=model.prefix_cache_bytes,
        records_passes=model.records_passes,
        private_rows=tuple(
            PassShape(
                rows=policy.slots + 1,
                tokens=policy.row_tokens_max,
                columns=policy.row_tokens_max + policy.tokens_max,
            )
            for policy in policies
        ),
    )


def _facts_of(engine: TransformersEngine, model: ModelSettings) -> EngineFacts:
    loaded = engine.model
    quantised = model.quantisation is not QuantisationKind.NONE
    return EngineFacts(
        architecture=type(loaded).__name__,
        data_type=str(loaded.dtype).removeprefix("torch."),
        quantisation=model.quantisation.value if quantised else "",
        parts=model_parts(loaded, engine.layout),
        cache_bytes=engine.cache_bytes,
        prefix_cache_bytes=engine.prefix_cache_bytes,
        prefix_cache_bytes_max=engine.prefix_cache_bytes_max,
    )
