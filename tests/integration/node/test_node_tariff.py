"""What a router knows of a node's prices and energy, as the node says and measures."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2
from federated_router.app import build as build_router
from node import app as node_app
from node.config import EnergyMeterName, EnergySettings, NodeStatisticsSettings
from tests.integration.node.conftest import node_settings
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_settings
from tests.support.running import running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(slots=True)
class Metered:
    """A router, and a node of it whose machine's one counter the test moves."""

    router: RouterSetting
    counter: Path

    async def node(
        self, wanted: Callable[[registry_pb2.Node], bool]
    ) -> registry_pb2.Node:
        """Return the node as the router shows it, once it is as wanted."""
        stub = await self.router.registry()
        async with asyncio.timeout(30):
            while True:
                told = await stub.ListNodes(registry_pb2.ListNodesRequest(), timeout=30)
                for node in told.nodes:
                    if node.models and wanted(node):
                        return node
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(loop_scope="module")
async def metered(
    pki: Pki, tmp_path: Path, model_directory: Path
) -> AsyncIterator[Metered]:
    """Run both; the node looks at its tariff many times a second."""
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("1000000\n")
    statistics = NodeStatisticsSettings(
        energy=EnergySettings(
            meters=(EnergyMeterName.RAPL,), interval_s=0.05, powercap=zone.parent
        )
    )
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(
            running(await build_router(router_settings(pki, tmp_path)))
        )
        setting = RouterSetting(pki, router.address, stack)
        plain = node_settings(setting, model_directory, statistics)
        (model,) = plain.models
        rates = {"prompt_token_price": 0.001, "token_price": 0.004, "token_j": 1.5}
        often = {"weight": 2.5, "probe_interval_s": 0.05, "tariff_interval_s": 0.05}
        settings = plain.model_copy(
            update={
                "models": (model.model_copy(update=rates),),
                "registration": plain.registration.model_copy(update=often),
            }
        )
        await stack.enter_async_context(running(await node_app.build(settings)))
        yield Metered(setting, zone / "energy_uj")


async def test_what_is_configured_is_told_until_more_is_measured(
    metered: Metered,
) -> None:
    """Prices and weight stay; joules come from the counter once requests ran."""
    before = await metered.node(lambda _: True)

    stub = await metered.router.inference("alice")
    long = generation(sampling=pb.Sampling(tokens_max=300))
    finished = None
    async for event in stub.Generate(pb.GenerateRequest(generation=long), timeout=60):
        if event.HasField("started"):
            metered.counter.write_text("6000000\n")
        if event.HasField("finished"):
            finished = event.finished
    assert finished is not None
    measured = await metered.node(
        lambda node: node.models[0].tariff.energy_basis == pb.ENERGY_BASIS_MEASURED
    )

    assert before.weight == measured.weight == 2.5
    said, lately = before.models[0].tariff, measured.models[0].tariff
    assert (said.prompt_cost, said.completion_cost) == (1.0, 4.0)
    assert (said.prompt_joules, said.completion_joules) == (0.0, 1500.0)
    assert said.energy_basis == pb.ENERGY_BASIS_MODELLED
    assert (lately.prompt_cost, lately.completion_cost) == (1.0, 4.0)
    tokens = finished.prompt_tokens + finished.completion_tokens
    assert lately.prompt_joules == pytest.approx(5.0 / tokens * 1000)
    assert lately.completion_joules == lately.prompt_joules
