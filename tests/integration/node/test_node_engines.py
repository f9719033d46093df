"""Operators see what runs a node's models, where its parts lie, how full it is."""

import pytest

from federated_router.api.v1 import engine_pb2, engine_pb2_grpc
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from node.engine.chat import TokenChat
from node.engine.transformers_engine import TransformersEngine
from tests.integration.node.conftest import CONTEXT_TOKENS, NodeSetting
from tests.support.fix_router import generation
from tests.support.running import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def listed(
    served: NodeSetting, **request: object
) -> engine_pb2.ListEnginesResponse:
    """Return what the node tells its operator."""
    stub = engine_pb2_grpc.EngineServiceStub(await served.channel(Role.OPERATOR, "op"))
    async with translated_errors():
        response: engine_pb2.ListEnginesResponse = await stub.ListEngines(
            engine_pb2.ListEnginesRequest(**request),  # type: ignore[arg-type]
            timeout=30,
        )
    return response


async def test_engine_tells_what_it_runs_and_what_it_takes(
    served: NodeSetting,
) -> None:
    """Every figure is the engine's own."""
    (engine,) = (await listed(served)).engines
    chat = served.models[0].chat
    assert isinstance(chat, TokenChat)
    assert isinstance(chat.engine, TransformersEngine)
    model = chat.engine.model

    assert engine.model == "models/m"
    assert engine.kind == engine_pb2.ENGINE_KIND_TRANSFORMERS
    assert engine.architecture == "LlamaForCausalLM"
    assert engine.data_type == "float32"
    assert engine.quantisation == ""
    assert engine.context_tokens_max == CONTEXT_TOKENS
    assert engine.slots == 1
    assert engine.cache_bytes == chat.engine.cache_bytes > 0
    assert engine.prefix_cache_bytes_max == 64 * 2**20
    assert engine.private_support == pb.PRIVATE_SUPPORT_OFFERED
    assert engine.private_refusal == ""
    assert "model.layers.0-1" in {part.modules for part in engine.parts}
    assert {part.device for part in engine.parts} == {"cpu"}
    assert sum(part.weight_bytes for part in engine.parts) == sum(
        one.numel() * one.element_size() for one in model.parameters()
    )


async def test_engine_tells_how_many_run(served: NodeSetting) -> None:
    """Of this moment, without waiting for a step."""
    stub = await served.direct()
    message = generation(sampling=pb.Sampling(tokens_max=900))
    call = stub.Generate(pb.GenerateRequest(generation=message), timeout=60)
    try:
        chat = served.models[0].chat
        await eventually(lambda: chat.load().running == 1)
        (engine,) = (await listed(served)).engines
    finally:
        call.cancel()
    await eventually(lambda: served.models[0].chat.load().running == 0)

    assert (engine.requests_running, engine.requests_waiting) == (1, 0)


async def test_pages_are_those_of_every_list(served: NodeSetting) -> None:
    """One engine on a page of one has no next; a negative size is nonsense."""
    page = await listed(served, page_size=1)
    beyond = await listed(served, page_token="z")  # noqa: S106 - of a page.
    with pytest.raises(errors.FieldInvalid):
        await listed(served, page_size=-1)

    assert (len(page.engines), page.next_page_token) == (1, "")
    assert len(beyond.engines) == 0
