"""Public streams whose nodes are lost go on elsewhere, token for token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, generation, router_in
from tests.support.reciting import TOKENS, recital, reciting
from tests.support.running import eventually
from tests.support.scripted_node import Events, ScriptedNode, chunk, started

STALL_S = 1.0


async def answer(
    router: RouterSetting, asked: pb.Generation | None = None
) -> list[pb.GenerateResponse]:
    """Return every event of a stream, errors translated."""
    stub = await router.inference()
    request = pb.GenerateRequest(generation=asked or generation())
    async with translated_errors():
        return [event async for event in stub.Generate(request, timeout=30)]


def told(events: list[pb.GenerateResponse]) -> tuple[list[int], str, list[int]]:
    """Return all tokens, all text, and the tokens of all log probabilities."""
    chunks = [event.chunk for event in events if event.HasField("chunk")]
    return (
        [one for part in chunks for one in part.token_ids],
        "".join(part.text for part in chunks),
        [one.token_id for part in chunks for one in part.logprobs],
    )


async def recite(router: RouterSetting, *lost_after: int | None) -> list[ScriptedNode]:
    """Register a node for each number, lost after so many tokens of its own."""
    nodes = []
    for number, after in enumerate(lost_after):
        node = await router.node(f"n{number}")
        node.script = reciting(node, lost_after=after)
        nodes.append(node)
    return nodes


@pytest.mark.parametrize("tokens", [1, 2, 7, TOKENS - 1, TOKENS])
async def test_lost_stream_goes_on_without_a_token_too_many_or_too_few(
    router: RouterSetting, tokens: int
) -> None:
    """Wherever the node is lost: the answer is that of an undisturbed run."""
    nodes = await recite(router, tokens, None)
    ids, text = recital()

    events = await answer(router)

    kinds = {event.WhichOneof("event") for event in events[1:-1]}
    assert told(events) == (ids, text, ids)
    assert events[0].started.node == nodes[0].name
    assert kinds == {"chunk"}
    assert events[-1].finished.resumptions == 1
    assert events[-1].finished.completion_tokens == TOKENS


async def test_stream_may_go_on_several_times(router: RouterSetting) -> None:
    """Each next node is told all that left, whoever made it."""
    await recite(router, 3, 5, 1, None)
    ids, text = recital()

    events = await answer(router)

    assert told(events) == (ids, text, ids)
    assert events[-1].finished.resumptions == 3


async def test_undisturbed_stream_says_of_no_resumption(router: RouterSetting) -> None:
    """Most streams."""
    await recite(router, None)

    events = await answer(router)

    assert events[-1].finished.resumptions == 0


@pytest.fixture
async def once(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router that lets a stream go on once."""
    async with router_in(pki, tmp_path, proxy={"resumptions_max": 1}) as setting:
        yield setting


async def test_stream_goes_on_as_often_as_configured(once: RouterSetting) -> None:
    """Then the loss is its caller's to hear, and nobody is asked again."""
    nodes = await recite(once, 3, 5, None)

    with pytest.raises(errors.NodeLost):
        await answer(once)

    assert [len(node.requests) for node in nodes] == [1, 1, 0]


@pytest.fixture
async def never(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router that lets no stream go on."""
    async with router_in(pki, tmp_path, proxy={"resumptions_max": 0}) as setting:
        yield setting


async def test_router_may_be_told_never_to_resume(never: RouterSetting) -> None:
    """It then chooses no seed either: requests reach nodes as they came."""
    nodes = await recite(never, 3, None)

    with pytest.raises(errors.NodeLost):
        await answer(never)

    assert not nodes[0].requests[0].sampling.HasField("seed")
    assert not nodes[1].requests


async def test_drawn_answer_gets_one_seed_for_all_its_nodes(
    router: RouterSetting,
) -> None:
    """Without it the second node would draw other tokens than the first."""
    nodes = await recite(router, 3, None)

    await answer(router)

    seeds = [node.requests[0].sampling.seed for node in nodes]
    assert seeds[0] == seeds[1]
    assert seeds[0] > 0
    assert nodes[1].requests[0].continuation.token_ids == recital()[0][:3]


@pytest.mark.parametrize(
    ("sampling", "seed"),
    [(pb.Sampling(temperature=0), None), (pb.Sampling(seed=7, temperature=1), 7)],
)
async def test_caller_who_fixed_the_draw_keeps_it(
    router: RouterSetting, sampling: pb.Sampling, seed: int | None
) -> None:
    """A greedy request needs no seed, and one that has one is not given another."""
    (node,) = await recite(router, None)

    await answer(router, generation(sampling=sampling))

    asked = node.requests[0].sampling
    assert (asked.seed if asked.HasField("seed") else None) == seed


async def test_text_without_tokens_cannot_be_continued(router: RouterSetting) -> None:
    """Another server runs the model: nobody can say where another node should go on."""
    first, second = await recite(router, None, None)

    async def untold(_: pb.Generation, __: object) -> Events:
        yield started(first.name)
        yield pb.GenerateResponse(chunk=pb.Chunk(text="a"))
        raise errors.Draining("stopping", retry_after_s=0.1)

    first.script = untold

    with pytest.raises(errors.Draining):
        await answer(router)
    assert not second.requests


async def test_node_that_cannot_go_on_is_passed_over(router: RouterSetting) -> None:
    """It may serve others; this answer goes on at the next one."""
    _, second, third = await recite(router, 3, None, None)

    async def refuse(_: pb.Generation, __: object) -> Events:
        raise errors.ContinuationNotOffered("not here")
        yield chunk()

    second.script = refuse

    events = await answer(router)

    assert told(events)[0] == recital()[0]
    assert events[-1].finished.resumptions == 1
    assert len(third.requests) == 1


async def test_nobody_left_to_go_on_is_a_lost_node(router: RouterSetting) -> None:
    """Its caller hears what happened, not what the last refusal was."""
    _, second = await recite(router, 3, None)

    async def refuse(_: pb.Generation, __: object) -> Events:
        raise errors.QueueFull("full", retry_after_s=5)
        yield chunk()

    second.script = refuse

    with pytest.raises(errors.NodeLost):
        await answer(router)


@pytest.fixture
async def impatient(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router that gives a silent node up soon."""
    async with router_in(pki, tmp_path, proxy={"stream_stall_s": STALL_S}) as setting:
        yield setting


async def test_node_that_falls_silent_is_given_up(impatient: RouterSetting) -> None:
    """Its connection stands and its lease is renewed: only its silence tells."""
    first, second = await recite(impatient, None, None)
    whole = first.script

    async def fall_silent(asked: pb.Generation, context: object) -> Events:
        async with aclosing(whole(asked, context)) as events:
            for _ in range(5):
                yield await anext(events)
            await asyncio.sleep(30)

    first.script = fall_silent

    events = await answer(impatient)

    assert told(events)[0] == recital()[0]
    assert len(second.requests) == 1
    await eventually(lambda: first.cancelled == 1)


async def test_slow_first_token_is_no_silence(impatient: RouterSetting) -> None:
    """A node may have requests before this one, and a long prompt to read."""
    (node,) = await recite(impatient, None)
    whole = node.script

    async def think(asked: pb.Generation, context: object) -> Events:
        yield started(node.name)
        await asyncio.sleep(1.5 * STALL_S)
        async with aclosing(whole(asked, context)) as events:
            await anext(events)
            async for event in events:
                yield event

    node.script = think

    events = await answer(impatient)

    assert told(events)[0] == recital()[0]
    assert events[-1].finished.resumptions == 0


async def test_node_that_begins_anew_is_found_out(router: RouterSetting) -> None:
    """An answer with a part in it twice never ends as if it were whole."""
    _, second = await recite(router, 3, None)
    whole = second.script

    async def forget(asked: pb.Generation, context: object) -> Events:
        asked.ClearField("continuation")
        async for event in whole(asked, context):
            yield event

    second.script = forget

    with pytest.raises(errors.Internal):
        await answer(router)


async def test_clients_may_not_say_where_an_answer_goes_on(
    router: RouterSetting,
) -> None:
    """They could make a node say what it never would."""
    await recite(router, None)

    with pytest.raises(errors.FieldInvalid) as raised:
        await answer(router, generation(continuation=pb.Continuation(token_ids=[1])))

    assert raised.value.metadata["field"] == "generation.continuation"
