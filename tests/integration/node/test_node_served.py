"""What a node tells its operator of requests that went through a router to it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import ops_pb2
from federated_router.federation.settings import MembershipSettings
from node.config import EnergyMeterName, EnergySettings, NodeStatisticsSettings
from tests.integration.node.conftest import NodeSetting, federation
from tests.support.fix_pki import Pki
from tests.support.fix_router import TOKENS_MAX, generation, private

pytestmark = pytest.mark.asyncio(loop_scope="module")
INTERVAL_S = 0.05


@pytest_asyncio.fixture(loop_scope="module")
async def metered(
    pki: Pki, tmp_path: Path, model_directory: Path
) -> AsyncIterator[NodeSetting]:
    """Run a router and a node whose machine has one counter of energy."""
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("1000000\n")
    statistics = NodeStatisticsSettings(
        carbon_g_per_kwh=360.0,
        energy=EnergySettings(
            meters=(EnergyMeterName.RAPL,),
            interval_s=INTERVAL_S,
            powercap=zone.parent,
        ),
    )
    # A router that is a member names its users, who then have prefixes of their own.
    membership = MembershipSettings(
        coordinator="127.0.0.1:1", vault=tmp_path / "vault", noise_scale_min=8.0
    )
    async with federation(
        pki, tmp_path, model_directory, statistics=statistics, membership=membership
    ) as setting:
        yield setting


async def stats(setting: NodeSetting) -> ops_pb2.GetStatsResponse:
    """Return the node's own statistics."""
    response: ops_pb2.GetStatsResponse = await (await setting.ops()).GetStats(
        ops_pb2.GetStatsRequest(), timeout=30
    )
    return response


async def served(setting: NodeSetting, count: int) -> ops_pb2.GetStatsResponse:
    """Return the node's statistics once so many requests ended."""
    async with asyncio.timeout(30):
        while True:
            told = await stats(setting)
            endings = [one for cell in told.served for one in cell.endings]
            if sum(one.requests for one in endings) >= count:
                return told
            await asyncio.sleep(0.02)


async def ask(setting: NodeSetting) -> pb.CompleteResponse:
    """Ask through the router what is long enough to be kept."""
    asked = generation(sampling=pb.Sampling(tokens_max=4))
    asked.messages[0].content = "Is it raining? " * 8
    stub = await setting.router.inference("alice")
    response: pb.CompleteResponse = await stub.Complete(
        pb.CompleteRequest(generation=asked), timeout=30
    )
    return response


async def test_measured_energy_of_a_request_is_shown_as_measured(
    metered: NodeSetting, tmp_path: Path
) -> None:
    """5 J of the counter come to the only request that ran meanwhile."""
    counter = tmp_path / "powercap" / "intel-rapl:0" / "energy_uj"
    stub = await metered.router.inference("alice")
    long = generation(sampling=pb.Sampling(tokens_max=200))
    call = stub.Generate(pb.GenerateRequest(generation=long), timeout=30)
    async for event in call:
        if event.HasField("started"):
            counter.write_text("6000000\n")

    told = await served(metered, 1)

    (cell,) = told.served
    (energy,) = cell.energy
    assert energy.source == "measured_rapl"
    assert energy.energy_j == pytest.approx(5.0)
    assert cell.co2e_g == pytest.approx(5.0 / 3.6e6 * 360)
    assert told.units.energy_source == "measured_rapl"


async def test_counter_that_vanishes_leaves_energy_modelled(
    metered: NodeSetting, tmp_path: Path
) -> None:
    """The node goes on, and nothing is called measured any more."""
    (tmp_path / "powercap" / "intel-rapl:0" / "energy_uj").unlink()

    async with asyncio.timeout(30):
        while (await stats(metered)).units.energy_source != "modelled":
            await asyncio.sleep(0.02)
    await ask(metered)

    told = await served(metered, 1)
    (cell,) = told.served
    assert [one.source for one in cell.energy] == ["modelled"]


async def test_repeated_prompt_shows_its_cached_tokens(metered: NodeSetting) -> None:
    """What the prefix cache saves is seen where tokens are counted."""
    first, second = await ask(metered), await ask(metered)

    told = await served(metered, 2)

    (cell,) = told.served
    assert first.finished.prompt_tokens_cached == 0
    assert cell.prompt_tokens_cached == second.finished.prompt_tokens_cached > 0
    assert cell.prompt_tokens == 2 * first.finished.prompt_tokens
    assert cell.time_to_first_token_mean_ms > 0
    assert cell.duration_mean_ms >= cell.time_to_first_token_mean_ms


async def test_private_request_shows_public_figures_only(metered: NodeSetting) -> None:
    """The prompt's length is the public prompt's, whatever the records hold."""
    await metered.router.open_dataset(40.0)
    stub = await metered.router.inference()
    message = private("served")

    answer = await stub.Complete(pb.CompleteRequest(generation=message), timeout=60)

    told = await served(metered, 1)
    (cell,) = told.served
    assert cell.tier == "private"
    assert cell.prompt_tokens == answer.finished.prompt_tokens
    assert cell.prompt_tokens_cached == 0
    assert 1 <= cell.output_tokens <= TOKENS_MAX
