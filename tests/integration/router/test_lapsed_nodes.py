"""A node whose lease lapsed keeps the answers that it still sends, and no others."""

import asyncio
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import NodeLost, NoNodeAvailable
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, private, router_in
from tests.support.running import eventually
from tests.support.scripted_node import Events, ScriptedNode, chunk, finished, started

PATIENCE_S = 30.0
LEASE_S = 10.0
SILENCE_S = 2.0
PROXY = {"lapsed_silence_s": SILENCE_S}
AFTER_THE_LAPSE = 6
INTERVAL_S = 0.4
"""Short beside the silence; all of them together are longer."""


class Telling:
    """Sends two chunks, and after the lapse of the lease `more` others."""

    def __init__(self, more: int) -> None:
        self.more = more
        self.lapsed = asyncio.Event()

    async def script(self, _: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        """Answer, or fall silent for ever where there is nothing more."""
        yield started("nodes/n1")
        yield chunk("a")
        yield chunk("b")
        await self.lapsed.wait()
        for _chunk in range(self.more):
            await asyncio.sleep(INTERVAL_S)
            yield chunk("c")
        if not self.more:
            await asyncio.Event().wait()
        yield finished(2 + self.more)


async def streamed(
    router: RouterSetting, asked: pb.Generation, heard: list[str] | None = None
) -> str:
    """Return a stream's text, errors translated; its parts go to `heard`."""
    stub = await router.inference()
    parts = [] if heard is None else heard
    async with translated_errors():
        async for event in stub.Generate(
            pb.GenerateRequest(generation=asked), timeout=PATIENCE_S
        ):
            parts.append(event.chunk.text)
    return "".join(parts)


async def lapse(
    router: RouterSetting, clock: ManualClock, telling: Telling, asked: pb.Generation
) -> "asyncio.Task[str]":
    """Begin a stream, and let the lease lapse in the middle of it."""
    heard: list[str] = []
    stream = asyncio.create_task(streamed(router, asked, heard))
    await eventually(lambda: "".join(heard) == "ab")
    await clock.advance(LEASE_S + 1)
    telling.lapsed.set()
    return stream


@pytest.mark.parametrize("asked", [generation(), private()], ids=["public", "private"])
async def test_stream_that_still_comes_is_not_lost_with_its_nodes_lease(
    pki: Pki, tmp_path: Path, asked: pb.Generation
) -> None:
    """Only renewals were lost; the node is known to live by what it sends."""
    clock, telling = ManualClock(), Telling(more=AFTER_THE_LAPSE)
    async with router_in(
        pki, tmp_path, proxy=PROXY, lease_s=LEASE_S, clock=clock
    ) as router:
        await router.open_dataset()
        node = await router.node("n1")
        node.script = telling.script
        stream = await lapse(router, clock, telling, asked)
        with pytest.raises(NoNodeAvailable):
            await streamed(router, generation("r-2"))
        text = await stream

    assert text == "ab" + "c" * AFTER_THE_LAPSE
    assert len(node.requests) == 1


async def test_stream_that_falls_silent_is_lost_with_its_nodes_lease(
    pki: Pki, tmp_path: Path
) -> None:
    """Long before a silent node alone would count as lost."""
    clock, telling = ManualClock(), Telling(more=0)
    proxy = {**PROXY, "stream_stall_s": 600.0}
    async with router_in(
        pki, tmp_path, proxy=proxy, lease_s=LEASE_S, clock=clock
    ) as router:
        node = await router.node("n1")
        node.script = telling.script
        stream = await lapse(router, clock, telling, generation())
        with pytest.raises(NodeLost):
            await stream

    assert len(node.requests) == 1


async def test_whole_answer_that_nobody_hears_of_is_lost_with_its_nodes_lease(
    pki: Pki, tmp_path: Path
) -> None:
    """What sends nothing until it is done cannot show that it lives."""
    clock = ManualClock()
    asked = asyncio.Event()

    async def silent(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        asked.set()
        await asyncio.Event().wait()
        yield finished(0)

    async with router_in(
        pki, tmp_path, proxy=PROXY, lease_s=LEASE_S, clock=clock
    ) as router:
        node: ScriptedNode = await router.node("n1")
        node.script = silent
        stub = await router.inference()
        call = stub.Complete(
            pb.CompleteRequest(generation=generation()), timeout=PATIENCE_S
        )
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
        begin_s = asyncio.get_running_loop().time()
        await clock.advance(LEASE_S + 1)
        with pytest.raises(NodeLost):
            async with translated_errors():
                await call
        took_s = asyncio.get_running_loop().time() - begin_s

    assert took_s < PATIENCE_S / 2
