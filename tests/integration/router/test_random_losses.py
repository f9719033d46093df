"""Many streams at once, nodes lost at random: every token once, or an error."""

import asyncio
import random
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2
from federated_router.kit.grpc_errors import translate
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_in
from tests.support.reciting import TOKENS, recital, reciting
from tests.support.scripted_node import Events, ScriptedNode

STREAMS = 40
NODES = 4
PROXY = {
    "resumptions_max": 4,
    "retries": {"share": 1.0, "per_second": 100.0, "saved_max": 1000.0},
    "breakers": {"failures_max": 6, "open_s": 0.05, "open_s_max": 0.2},
    "hedging": {"share": 0.3, "samples_min": 5, "after_s_min": 0.001},
}
ALLOWED = {"NODE_LOST", "NO_NODE_AVAILABLE"}


def unsteady(node: ScriptedNode, chance: random.Random) -> None:
    """Let a node lose its connection, be full or be slow, now and then."""

    def script(asked: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        lost_after = chance.randrange(TOKENS) if chance.random() < 0.4 else None
        pause_s = chance.choice((0.0, 0.0, 0.001, 0.004))
        return reciting(node, lost_after=lost_after, pause_s=pause_s)(asked, context)

    node.script = script


async def streamed(router: RouterSetting, number: int) -> tuple[str, list[int], str]:
    """Return how a stream ended, its tokens and its text."""
    stub = await router.inference(f"user{number % 5}")
    request = pb.GenerateRequest(generation=generation(f"r-{number}"))
    token_ids: list[int] = []
    text, ended = "", "nothing"
    try:
        async for event in stub.Generate(request, timeout=30):
            token_ids += event.chunk.token_ids
            text += event.chunk.text
            ended = event.WhichOneof("event") or ""
    except grpc.aio.AioRpcError as error:
        ended = translate(error).reason
    return ended, token_ids, text


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_token_arrives_once_and_in_order_whatever_is_lost(
    pki: Pki, tmp_path: Path, seed: int
) -> None:
    """A stream that ends well is whole; one that ends in error is a beginning of it."""
    chance = random.Random(seed)  # noqa: S311 - a seeded run.
    ids, text = recital()
    async with router_in(pki, tmp_path, proxy=PROXY) as router:
        for number in range(NODES):
            unsteady(await router.node(f"n{number}"), chance)
        ended = await asyncio.gather(
            *(streamed(router, number) for number in range(STREAMS))
        )
        registry = await router.registry()
        nodes = await registry.ListNodes(registry_pb2.ListNodesRequest(), timeout=30)

    whole = [one for one in ended if one[0] == "finished"]
    assert all(one[1:] == (ids, text) for one in whole)
    assert all(token_ids == ids[: len(token_ids)] for _, token_ids, _ in ended)
    assert all(text.startswith(part) for _, _, part in ended)
    assert {one[0] for one in ended} - {"finished"} <= ALLOWED
    assert len(whole) > STREAMS // 2
    assert [node.requests_in_flight for node in nodes.nodes] == [0] * NODES
