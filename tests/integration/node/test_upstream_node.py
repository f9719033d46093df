"""A node whose model `transformers serve` runs: a real counterpart, in its own process.

It comes late and dies early, and the router offers the model only in between.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.utils.import_utils import is_serve_available

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.app import build as build_router
from federated_router.kit import errors
from federated_router.kit.config import ServerSettings
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from node.app import build as build_node
from node.config import NodeSettings, RegistrationSettings
from node.engine.device_map import ModelSource
from node.engine.engine import ChatMessage, Sampling
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from node.model_settings import ModelSettings, UpstreamSettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, router_settings
from tests.support.running import running
from tests.support.tiny_model import build_tiny_model, tiny_tokenizer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not is_serve_available(), reason="fastapi, uvicorn or openai is not installed"
    ),
]
QUESTION = "Which medicine?"
TOKENS = 12


@pytest.fixture(scope="module")
def lettered_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny model that says ASCII letters alone.

    `transformers serve` decodes token by token, which breaks characters of several.
    """
    directory = build_tiny_model(tmp_path_factory.mktemp("lettered") / "model")
    model = AutoModelForCausalLM.from_pretrained(directory)
    tokenizer = tiny_tokenizer()
    letters = [
        index
        for token, index in tokenizer.get_vocab().items()
        if len(token) == 1 and token.isascii() and token.isalpha()
    ]
    silent = torch.ones(model.lm_head.weight.shape[0], dtype=torch.bool)
    silent[letters] = False
    with torch.no_grad():
        model.lm_head.weight[silent] = 0
    model.save_pretrained(directory)
    return directory


@contextlib.asynccontextmanager
async def transformers_serve(model: Path, port: int) -> AsyncIterator[None]:
    """Run `transformers serve` until left; yield once it answers."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)),
        *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu"),
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(240), httpx2.AsyncClient() as client:
            while True:
                assert process.returncode is None
                with contextlib.suppress(httpx2.TransportError):
                    await client.get(f"http://127.0.0.1:{port}/health")
                    break
                await asyncio.sleep(0.2)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def settings_of(setting: RouterSetting, model: Path, port: int) -> NodeSettings:
    """Return settings of a node whose only model is the server's."""
    upstream = UpstreamSettings.model_validate(
        {
            "base_url": f"http://127.0.0.1:{port}/v1",
            "model": str(model),
            "context_tokens_max": 128,
            "health_path": "/health",
            "connect_timeout_s": 30.0,
        }
    )
    return NodeSettings(
        tls=setting.pki.tls(Role.NODE, "n1"),
        server=ServerSettings(stop_grace_s=1.0),
        region="north",
        models=(ModelSettings(name="m", upstream=upstream, slots=2),),
        registration=RegistrationSettings(
            router_address=setting.address, retry_s=0.05, probe_interval_s=0.1
        ),
    )


async def offered(setting: RouterSetting, count: int) -> list[pb.Model]:
    """Return the models that can be asked for, once there are `count`."""
    stub = await setting.inference()
    async with asyncio.timeout(120):
        while True:
            found = await stub.ListModels(pb.ListModelsRequest(), timeout=30)
            if len(found.models) == count:
                return list(found.models)
            await asyncio.sleep(0.05)


def asking(**sampling: object) -> pb.Generation:
    """Return the question."""
    generation = pb.Generation(
        request_id="r-1",
        model="models/m",
        messages=[pb.Message(role=pb.ROLE_USER, content=QUESTION)],
    )
    generation.sampling.MergeFrom(pb.Sampling(tokens_max=TOKENS, **sampling))  # type: ignore[arg-type]
    return generation


async def said_here(model: Path) -> tuple[str, int]:
    """Return what this project's own engine says greedily, and the prompt's tokens."""
    limits = EngineLimits(slots=1, private_slots=1, waiting_max=0)
    engine = TransformersEngine(
        TransformersSettings(source=ModelSource(model), limits=limits, threads=1)
    )
    await engine.start()
    try:
        prompt = engine.prompt_ids([ChatMessage("user", QUESTION)])
        pieces = engine.generate(prompt, Sampling(tokens_max=TOKENS))
        return "".join([piece.text async for piece in pieces]), len(prompt)
    finally:
        await engine.stop()


async def test_model_of_another_server_is_served_like_any_other(
    pki: Pki, tmp_path: Path, lettered_model: Path
) -> None:
    """The same text and counts as from our engine, while the server is there."""
    expected, prompt_tokens = await said_here(lettered_model)
    port = free_port()
    async with (
        running(await build_router(router_settings(pki, tmp_path))) as router,
        contextlib.AsyncExitStack() as stack,
    ):
        setting = RouterSetting(pki, router.address, stack)
        node = await build_node(settings_of(setting, lettered_model, port))
        async with running(node):
            # The node serves before its model's server is there, and offers nothing.
            await offered(setting, 0)
            async with transformers_serve(lettered_model, port):
                (model,) = await offered(setting, 1)
                assert model.private_support == pb.PRIVATE_SUPPORT_REFUSED
                stub = await setting.inference()
                whole = await stub.Complete(
                    pb.CompleteRequest(generation=asking()), timeout=60
                )
                stream = stub.Generate(
                    pb.GenerateRequest(generation=asking()), timeout=60
                )
                events = [event async for event in stream]
                with pytest.raises(errors.FieldInvalid) as refused:
                    async with translated_errors():
                        await stub.Complete(
                            pb.CompleteRequest(generation=asking(top_k=3)), timeout=60
                        )
            await offered(setting, 0)

    assert whole.text == "".join(event.chunk.text for event in events) == expected
    assert whole.finished.reason == pb.FINISH_REASON_LENGTH
    assert whole.finished.prompt_tokens == prompt_tokens
    assert whole.finished.completion_tokens == TOKENS
    # Its API knows no `top_k`: the caller hears, instead of being served otherwise.
    assert refused.value.metadata["field"] == "generation"
