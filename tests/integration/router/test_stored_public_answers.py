"""Stored public answers cost no place at the gate, and count in their tenant's rate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from federated_router.admission.settings import AdmissionSettings, TenantSettings
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.app import build
from federated_router.cache.settings import CacheSettings, MemorySettings
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_settings
from tests.support.running import running
from tests.support.scripted_node import Events, finished, started

REQUESTS_PER_MINUTE = 4


@pytest.fixture
async def narrow(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router with a cache, one place of its node's four, and nobody in line."""
    settings = router_settings(pki, tmp_path).model_copy(
        update={
            "cache": CacheSettings(memory=MemorySettings()),
            "admission": AdmissionSettings(
                capacity_factor=0.25,
                waiting_max=0,
                tenants=(
                    TenantSettings(
                        match="alice", requests_per_minute=REQUESTS_PER_MINUTE
                    ),
                ),
            ),
        }
    )
    daemon = await build(settings)
    async with running(daemon), AsyncExitStack() as stack:
        yield RouterSetting(pki, daemon.address, stack)


def question(text: str) -> pb.Generation:
    """Return a request whose answer may be served again."""
    message = generation(sampling=pb.Sampling(temperature=0.0))
    message.messages[0].content = text
    return message


async def complete(router: RouterSetting, text: str) -> pb.CompleteResponse:
    """Ask, with errors translated."""
    stub = await router.inference()
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=question(text)), timeout=30
        )
    return response


async def streamed(router: RouterSetting, text: str) -> list[pb.GenerateResponse]:
    """Ask for a stream, and return its events."""
    stub = await router.inference()
    call = stub.Generate(pb.GenerateRequest(generation=question(text)), timeout=30)
    return [event async for event in call]


async def test_stored_answer_is_served_where_no_place_is_left(
    narrow: RouterSetting,
) -> None:
    """Nobody works for it; a question that a node must answer is refused meanwhile."""
    node = await narrow.node("n1")
    first = await complete(narrow, "again")
    go_on = asyncio.Event()

    async def slow(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        await go_on.wait()
        yield finished(0)

    node.script = slow
    holds = asyncio.create_task(complete(narrow, "long"))
    while len(node.requests) == 1:
        await asyncio.sleep(0.01)
    again = await streamed(narrow, "again")
    with pytest.raises(errors.QueueFull):
        await complete(narrow, "new")
    go_on.set()
    await holds

    assert again[0].started.source == pb.ANSWER_SOURCE_CACHE
    assert again[1].chunk.text == first.text
    assert len(node.requests) == 2


async def test_stored_answers_count_in_a_tenants_requests(
    narrow: RouterSetting,
) -> None:
    """Whoever may ask so often a minute may not ask more often for what is known."""
    await narrow.node("n1")
    for _ in range(REQUESTS_PER_MINUTE):
        await complete(narrow, "again")

    with pytest.raises(errors.RateLimited):
        await complete(narrow, "again")
