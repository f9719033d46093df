"""What a node starts with, and with what sentence it does not."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from federated_router.api.v1 import registry_pb2
from federated_router.app import build as build_router
from federated_router.kit.config import ConfigurationError, ServerSettings
from federated_router.kit.identity import Role
from node.app import build as build_node
from node.config import NodeSettings, RegistrationSettings
from node.model_settings import ModelSettings, ShardSettings, UpstreamSettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, router_settings
from tests.support.running import running


def settings_of(pki: Pki, router: str, **serving: object) -> NodeSettings:
    """Return settings of a node that serves this."""
    return NodeSettings(
        tls=pki.tls(Role.NODE, "n1"),
        server=ServerSettings(stop_grace_s=1.0),
        region="north",
        registration=RegistrationSettings(router_address=router, retry_s=0.05),
        **serving,  # type: ignore[arg-type]
    )


async def refusal(settings: NodeSettings) -> str:
    """Return the sentence with which the node does not start."""
    with pytest.raises(ConfigurationError) as raised:
        async with running(await build_node(settings)):
            pass
    return str(raised.value)


async def test_architecture_that_is_not_supported_is_refused_with_a_sentence(
    pki: Pki, tmp_path: Path
) -> None:
    """It names the model, what was found and what is wanted; no traceback."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    model = ModelSettings(name="m", path=tmp_path)

    told = await refusal(settings_of(pki, "127.0.0.1:1", models=(model,)))

    assert told.startswith("models/m: ")
    assert "model of type 'vit', which is no causal language model" in told


async def test_key_that_is_not_there_is_refused_with_a_sentence(
    pki: Pki, tmp_path: Path
) -> None:
    """Without the key every request would fail later."""
    upstream = UpstreamSettings.model_validate(
        {
            "base_url": "https://models.example/v1",
            "model": "m",
            "context_tokens_max": 64,
            "api_key_file": tmp_path / "none",
        }
    )
    model = ModelSettings(name="m", upstream=upstream)

    told = await refusal(settings_of(pki, "127.0.0.1:1", models=(model,)))

    assert told.startswith("models/m: api_key_file cannot be read")


async def test_layers_that_are_not_there_are_refused_with_a_sentence(
    pki: Pki, model_directory: Path
) -> None:
    """A shard of another model than the directory's."""
    shard = ShardSettings(model="m", path=model_directory, first_layer=0, end_layer=99)

    told = await refusal(settings_of(pki, "127.0.0.1:1", shards=(shard,)))

    assert "models/m" in told


async def test_node_with_shards_alone_registers_and_offers_no_model(
    pki: Pki, tmp_path: Path, model_directory: Path
) -> None:
    """It serves pipelines that other nodes lead."""
    shard = ShardSettings(model="m", path=model_directory, first_layer=0, end_layer=1)
    async with (
        running(await build_router(router_settings(pki, tmp_path))) as router,
        contextlib.AsyncExitStack() as stack,
    ):
        setting = RouterSetting(pki, router.address, stack)
        node = await build_node(settings_of(pki, setting.address, shards=(shard,)))
        async with running(node), asyncio.timeout(30):
            registry = await setting.registry()
            request = registry_pb2.ListNodesRequest()
            while not (found := (await registry.ListNodes(request, timeout=30)).nodes):
                await asyncio.sleep(0.02)

    (registered,) = found
    assert list(registered.models) == []
    assert [(one.model, one.end_layer) for one in registered.shards] == [
        ("models/m", 1)
    ]


def test_node_that_serves_nothing_or_one_name_twice_is_refused(
    pki: Pki, tmp_path: Path
) -> None:
    """Before anything is loaded."""
    model = ModelSettings(name="m", path=tmp_path)

    with pytest.raises(ValueError, match="at least one of models and shards"):
        settings_of(pki, "127.0.0.1:1")
    with pytest.raises(ValueError, match="name each of models once"):
        settings_of(pki, "127.0.0.1:1", models=(model, model))
