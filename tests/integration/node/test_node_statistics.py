"""Who counts what of a request that goes through a router to a node, and of whom."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import ops_pb2
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.user_clipping import METADATA_KEY
from node.config import NodeStatisticsSettings
from tests.integration.node.conftest import NodeSetting, federation
from tests.support.fix_pki import Pki
from tests.support.fix_router import generation
from tests.support.running import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMIT = 2


@pytest_asyncio.fixture(loop_scope="module")
async def limited(
    pki: Pki, tmp_path: Path, model_directory: Path
) -> AsyncIterator[NodeSetting]:
    """Run a router that counts for rounds, and a node that counts two of each user."""
    membership = MembershipSettings(
        coordinator="127.0.0.1:1", vault=tmp_path / "vault", noise_scale_min=8.0
    )
    async with federation(
        pki,
        tmp_path,
        model_directory,
        statistics=NodeStatisticsSettings(
            requests_per_user_max=LIMIT, carbon_g_per_kwh=320.0
        ),
        membership=membership,
    ) as setting:
        yield setting


def asking() -> pb.Generation:
    """Return a short question."""
    asked = generation(sampling=pb.Sampling(tokens_max=2))
    asked.messages[0].content = "Is it raining?"
    return asked


async def complete(
    setting: NodeSetting, user: str, *, metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    """Ask through the router as somebody."""
    stub = await setting.router.inference(user)
    await stub.Complete(
        pb.CompleteRequest(generation=asking()), timeout=30, metadata=metadata
    )


async def stats(setting: NodeSetting) -> tuple[ops_pb2.GetStatsResponse, ...]:
    """Return the router's own statistics, and the node's."""
    found = [
        await stub.GetStats(ops_pb2.GetStatsRequest(), timeout=30)
        for stub in (await setting.router.ops(), await setting.ops())
    ]
    return tuple(found)


async def test_each_block_gets_a_request_from_one_member(limited: NodeSetting) -> None:
    """Otherwise one request would move a block by twice its clip."""
    await complete(limited, "alice")
    stub = await limited.router.inference("alice")
    call = stub.Generate(pb.GenerateRequest(generation=asking()), timeout=30)
    async for _ in call:
        pass

    async with asyncio.timeout(30):
        while True:
            router, node = await stats(limited)
            if sum(one.successes for one in router.patterns) == 2:
                break
            await asyncio.sleep(0.02)

    assert [one.pattern for one in router.patterns] == ["question"]
    assert len(router.performance) == 0
    assert len(node.patterns) == 0
    assert sum(sum(one.latency_counts) for one in node.performance) == 2


async def test_node_clips_each_user_of_its_router_by_pseudonym(
    limited: NodeSetting,
) -> None:
    """The node is told who is who, and never who it is."""
    for user in ("alice", "alice", "alice", "bob"):
        await complete(limited, user)

    _, node = await stats(limited)

    assert sum(sum(one.latency_counts) for one in node.performance) == LIMIT + 1
    assert (node.requests.recorded, node.requests.clipped) == (4, 1)


async def test_client_cannot_choose_whose_request_it_is(limited: NodeSetting) -> None:
    """With a pseudonym of its own making a client would escape the limit."""
    for number in range(LIMIT + 1):
        forged = f"{number:016x}.{number:032x}"
        await complete(limited, "alice", metadata=((METADATA_KEY, forged),))

    _, node = await stats(limited)

    assert node.requests.clipped == 1


async def test_request_without_a_pseudonym_is_served_and_not_counted(
    limited: NodeSetting,
) -> None:
    """A router of an earlier version still gets answers; the promise still holds."""
    stub = await limited.direct()

    answer = await stub.Complete(pb.CompleteRequest(generation=asking()), timeout=30)

    _, node = await stats(limited)
    assert isinstance(answer, pb.CompleteResponse)
    assert (node.requests.clipped, node.requests.pending) == (1, 0)


async def test_cancelled_request_is_counted_by_nobody(limited: NodeSetting) -> None:
    """The client's farewell says nothing about node or model."""
    stub = await limited.router.inference("alice")
    long = generation(sampling=pb.Sampling(tokens_max=900))
    call = stub.Generate(pb.GenerateRequest(generation=long), timeout=30)
    await call.read()
    await call.read()
    call.cancel()
    engine = limited.models[0].chat
    await eventually(lambda: engine.load().running == 0)

    router, node = await stats(limited)

    assert (router.requests.recorded, node.requests.recorded) == (0, 0)
