"""Every node dies at once and is back a second later: no public request is lost."""

import asyncio
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_in
from tests.support.reciting import recital, reciting
from tests.support.running import eventually
from tests.support.scripted_node import Events, ScriptedNode

REQUESTS = 5
NODES = ("n1", "n2", "n3")
PATIENCE_S = 60.0
PROXY = {
    "node_waits": {"longest_s": 20.0},
    "retries": {"share": 1.0, "per_second": 100.0},
    "breakers": {"failures_max": 1000, "requests_min": 1000},
}


def recite(
    node: ScriptedNode, asked: pb.Generation, context: grpc.aio.ServicerContext
) -> Events:
    """Answer as every node does from its registration on."""
    return reciting(node)(asked, context)


def until_killed(node: ScriptedNode, killed: asyncio.Event) -> None:
    """Let a node recite the first tokens, and then end every call as a crash does."""

    async def script(asked: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        told = 0
        async for event in reciting(node)(asked, context):
            yield event
            told += event.HasField("chunk")
            if told == 3:
                await killed.wait()
                await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset")

    node.script = script


async def streamed(router: RouterSetting, number: int) -> tuple[list[int], str, int]:
    """Return a stream's tokens and text, and how often it went on elsewhere."""
    stub = await router.inference()
    request = pb.GenerateRequest(generation=generation(f"s-{number}"))
    token_ids: list[int] = []
    text, resumptions = "", 0
    async for event in stub.Generate(request, timeout=PATIENCE_S):
        token_ids += event.chunk.token_ids
        text += event.chunk.text
        resumptions = event.finished.resumptions
    return token_ids, text, resumptions


async def whole(router: RouterSetting, number: int) -> str:
    """Return a whole answer's text."""
    stub = await router.inference()
    request = pb.CompleteRequest(generation=generation(f"w-{number}"))
    response: pb.CompleteResponse = await stub.Complete(request, timeout=PATIENCE_S)
    return str(response.text)


async def test_no_public_request_is_lost_where_every_node_restarts(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams go on, whole answers begin again, and new requests wait with them."""
    monkeypatch.setattr(ScriptedNode, "answer", recite)
    ids, text = recital()
    killed = asyncio.Event()
    async with router_in(pki, tmp_path, proxy=PROXY) as router:
        nodes = [await router.node(node_id) for node_id in NODES]
        for node in nodes:
            until_killed(node, killed)
        streams = [asyncio.create_task(streamed(router, at)) for at in range(REQUESTS)]
        wholes = [asyncio.create_task(whole(router, at)) for at in range(REQUESTS)]
        await eventually(
            lambda: sum(len(node.requests) for node in nodes) == 2 * REQUESTS,
            within_s=PATIENCE_S,
        )
        for node in nodes:
            await node.leave()
        killed.set()
        late = asyncio.create_task(whole(router, REQUESTS))
        await asyncio.sleep(1.0)
        for node_id in NODES:
            await router.node(node_id)
        answers = await asyncio.gather(*streams)
        texts = await asyncio.gather(*wholes, late)

    assert {(tuple(one[0]), one[1]) for one in answers} == {(tuple(ids), text)}
    assert {one[2] for one in answers} == {1}
    assert set(texts) == {text}
