"""A real node with a tiny random model, registered with a real router, in one loop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import torch
from transformers import LlamaForCausalLM

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc, ops_pb2, ops_pb2_grpc
from federated_router.app import build as build_router
from federated_router.choice.settings import ChoiceSettings
from federated_router.federation.settings import MembershipSettings
from federated_router.kit.clock import Clock
from federated_router.kit.config import OpsSettings, ServerSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.privacy.settings import PolicySettings
from federated_router.registry.registry import RegistrySettings
from node import app as node_app
from node.config import NodeSettings, NodeStatisticsSettings, RegistrationSettings
from node.engines import served_model
from node.model_settings import ModelSettings
from node.served_model import ServedModel
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import POLICY, RouterSetting, router_settings
from tests.support.running import running
from tests.support.tiny_model import tiny_config, tiny_tokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")

CONTEXT_TOKENS = 1024
PATIENCE_S = 30.0
"""For waits that no test is about: everything here shares one busy event loop."""
UNPROVEN = POLICY | {"name": "unproven", "slots": 4}


@dataclass(slots=True)
class NodeSetting:
    """A router, a node, and everything that talks to either."""

    router: RouterSetting
    directory: Path
    address: str = ""
    models: list[ServedModel] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def channel(self, role: Role, peer_id: str) -> grpc.aio.Channel:
        """Open a channel to the node as somebody."""
        tls = self.router.pki.standing(role, peer_id)
        channel = Channels(tls, trust_domain=DOMAIN).open(self.address, role=Role.NODE)
        self.stack.push_async_callback(channel.close)
        return channel

    async def direct(self) -> inference_pb2_grpc.InferenceServiceStub:
        """Return the node's stub as a router has it."""
        return inference_pb2_grpc.InferenceServiceStub(
            await self.channel(Role.ROUTER, "r2")
        )

    async def ops(self) -> ops_pb2_grpc.OpsServiceStub:
        """Return the node's operator's stub."""
        return ops_pb2_grpc.OpsServiceStub(await self.channel(Role.OPERATOR, "op"))

    async def counted(self) -> tuple[int, int]:
        """Return the answers and the failures that the node has counted."""
        response = await (await self.ops()).GetStats(
            ops_pb2.GetStatsRequest(), timeout=30
        )
        answers = sum(sum(one.latency_counts) for one in response.performance)
        return answers, sum(one.failures for one in response.performance)


def node_settings(
    setting: RouterSetting,
    directory: Path,
    statistics: NodeStatisticsSettings | None = None,
    *,
    grant_wait_s: float = PATIENCE_S,
) -> NodeSettings:
    """Return settings of a node with one slot, so that queues are short."""
    return NodeSettings(
        tls=setting.pki.standing(Role.NODE, "n1"),
        server=ServerSettings(stop_grace_s=1.0),
        ops=OpsSettings(statistics_readers=("op",)),
        region="north",
        models=(
            ModelSettings(
                name="m", path=directory, slots=1, private_slots=1, waiting_max=1
            ),
        ),
        registration=RegistrationSettings(router_address=setting.address, retry_s=0.05),
        policies=(PolicySettings.model_validate(POLICY),),
        stream_window_s=0.0,
        grant_wait_s=grant_wait_s,
        statistics=statistics or NodeStatisticsSettings(),
    )


@asynccontextmanager
async def federation(
    pki: Pki,
    directory: Path,
    model: Path,
    *,
    statistics: NodeStatisticsSettings | None = None,
    membership: MembershipSettings | None = None,
    instalment: int = 16,
    grant_wait_s: float = PATIENCE_S,
) -> AsyncIterator[NodeSetting]:
    """Run a router and a node of it; yield once the node is registered.

    `membership` is the router's, which grants private answers `instalment` tokens at
    a time; the node waits `grant_wait_s` for each. Outcomes count as soon as nobody has
    reported one for a moment.
    """
    policies = tuple(map(PolicySettings.model_validate, (POLICY, UNPROVEN)))
    settings = router_settings(pki, directory, instalment=instalment).model_copy(
        update={
            "policies": policies,
            "registry": RegistrySettings(lease_s=PATIENCE_S),
            "federation": membership,
            "choice": ChoiceSettings(outcome_wait_s=0.05, solve_interval_s=0.05),
        }
    )
    async with (
        running(await build_router(settings)) as router,
        AsyncExitStack() as stack,
    ):
        setting = NodeSetting(RouterSetting(pki, router.address, stack), model)
        setting.stack = stack
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(node_app, "served_model", _watched(setting.models))
            node = await node_app.build(
                node_settings(
                    setting.router, model, statistics, grant_wait_s=grant_wait_s
                )
            )
        async with running(node):
            setting.address = node.address
            await registered(setting)
            yield setting


def _watched(seen: list[ServedModel]) -> Callable[..., ServedModel]:
    """Return the node's own constructor of models, which lets the test keep them."""

    def made(
        model: ModelSettings,
        settings: NodeSettings,
        *,
        channels: Channels,
        clock: Clock,
    ) -> ServedModel:
        seen.append(served_model(model, settings, channels=channels, clock=clock))
        return seen[-1]

    return made


async def registered(setting: NodeSetting) -> None:
    """Return once the router lists the node's model."""
    stub = await setting.router.inference()
    async with asyncio.timeout(30):
        while not (await stub.ListModels(pb.ListModelsRequest(), timeout=30)).models:
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny random model with a context long enough to be interrupted."""
    directory = tmp_path_factory.mktemp("served") / "model"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = LlamaForCausalLM(tiny_config(max_position_embeddings=CONTEXT_TOKENS))
    model.save_pretrained(directory)
    tiny_tokenizer().save_pretrained(directory)
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory, model_directory: Path
) -> AsyncIterator[NodeSetting]:
    """Run one router and one node for all tests of a file."""
    directory = tmp_path_factory.mktemp("served-state")
    async with federation(pki, directory, model_directory) as setting:
        yield setting
