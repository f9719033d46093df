"""Private answers on credit: what is granted when, and what a failure costs."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    TOKEN_UNITS,
    TOKENS_MAX,
    RouterSetting,
    private,
    router_in,
)
from tests.support.running import eventually
from tests.support.scripted_node import Events, ScriptedNode, chunk, finished, started

INSTALMENT = 2


@pytest.fixture
async def router(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router that grants two tokens at a time, of eight."""
    async with router_in(pki, tmp_path, instalment=INSTALMENT) as setting:
        await setting.open_dataset()
        yield setting


def bound_in(directory: Path) -> int:
    """Return how many steps the ledger on disk allows, as another process reads it."""
    with closing(sqlite3.connect(directory / "ledger.sqlite")) as ledger:
        query = "SELECT steps_bound FROM ledger_reservations"
        (row,) = ledger.execute(query).fetchall()
    return int(row[0])


async def ask(router: RouterSetting) -> pb.CompleteResponse:
    """Ask as a client, with errors translated."""
    stub = await router.inference()
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=private()), timeout=30
        )
    return response


async def charged(router: RouterSetting) -> int:
    """Return how many tokens the data set has paid for; nothing may be held."""
    async with asyncio.timeout(30):
        while (account := await router.account()).held_units:
            await asyncio.sleep(0.02)
    tokens, rest = divmod(account.spent_units, TOKEN_UNITS)
    assert rest == 0
    return tokens


async def samples(node: ScriptedNode, grant: pb.PrivacyGrant, tokens: int) -> Events:
    """Sample as an honest node does: no token that is not granted."""
    for number in range(tokens):
        async with asyncio.timeout(30):
            while number >= max(grant.tokens_granted, node.credit.tokens):
                await asyncio.sleep(0.005)
        yield chunk()


async def test_answer_is_granted_on_while_it_runs_and_charged_exactly(
    router: RouterSetting,
) -> None:
    """The first instalment comes with the request, the others as tokens arrive."""
    node = await router.node("n1")

    async def whole(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        yield started()
        async for event in samples(node, asked.private_context.grant, TOKENS_MAX):
            yield event
        yield finished(TOKENS_MAX)

    node.script = whole

    response = await ask(router)

    assert node.requests[0].private_context.grant.tokens_granted == INSTALMENT
    assert node.credit.taken == [4, 6, 8]
    assert response.finished.charge.tokens == TOKENS_MAX
    assert await charged(router) == TOKENS_MAX


async def test_every_grant_is_on_disk_before_the_node_hears_of_it(
    router: RouterSetting, tmp_path: Path
) -> None:
    """A router may die at any instant: what it allowed must have been written."""
    node = await router.node("n1")
    on_disk: list[int] = []

    async def look(_: int) -> None:
        on_disk.append(await asyncio.to_thread(bound_in, tmp_path))

    async def whole(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        await look(0)
        yield started()
        async for event in samples(node, asked.private_context.grant, TOKENS_MAX):
            yield event
        yield finished(TOKENS_MAX)

    node.script, node.credit.on_grant = whole, look

    await ask(router)

    assert on_disk == [2, *node.credit.heard]


@pytest.mark.parametrize(("delivered", "told"), [(0, 0), (1, 4), (3, 6), (5, 8)])
async def test_lost_node_costs_what_was_delivered_and_two_instalments_at_most(
    router: RouterSetting, delivered: int, told: int
) -> None:
    """Not the whole hold, and never less than what can have been sampled."""
    node = await router.node("n1")

    async def die(asked: pb.Generation, context: grpc.aio.ServicerContext) -> Events:
        yield started()
        async for event in samples(node, asked.private_context.grant, delivered):
            yield event
        await eventually(lambda: node.credit.tokens == told)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "reset")

    node.script = die

    with pytest.raises(errors.NodeLost) as caught:
        await ask(router)

    tokens = await charged(router)
    assert int(caught.value.metadata["tokens_granted"]) == tokens
    assert tokens == max(INSTALMENT, node.credit.tokens)
    assert delivered <= tokens <= delivered + 2 * INSTALMENT


async def test_caller_who_leaves_pays_what_was_granted(router: RouterSetting) -> None:
    """The node may have used its whole credit by the time that it hears."""
    node = await router.node("n1")

    async def slow(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        yield started()
        async for event in samples(node, asked.private_context.grant, 3):
            yield event
        await asyncio.sleep(30)

    node.script = slow
    stub = await router.inference()
    call = stub.Generate(pb.GenerateRequest(generation=private()), timeout=30)
    for _ in range(4):
        await call.read()
    await eventually(lambda: node.credit.tokens == 6)

    call.cancel()

    assert await charged(router) == node.credit.tokens == 6


async def test_grant_whose_answer_is_lost_is_told_again(router: RouterSetting) -> None:
    """The same grant twice is one grant, in the ledger as at the node."""
    node = await router.node("n1")
    failures = [2, 1]

    async def fail(tokens: int) -> None:
        if tokens == 4 and failures:
            failures.pop()
            raise errors.Unavailable("The answer was lost.")

    async def whole(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        yield started()
        async for event in samples(node, asked.private_context.grant, 5):
            yield event
        yield finished(5)

    node.script, node.credit.on_grant = whole, fail

    await ask(router)

    assert node.credit.heard == [4, 4, 4, 6]
    assert await charged(router) == 5


async def test_node_that_refuses_an_extension_is_not_asked_for_ever(
    router: RouterSetting,
) -> None:
    """It will end the answer; what the ledger allowed is charged then."""
    node = await router.node("n1")

    async def unknown(_: int) -> None:
        raise errors.GrantUnknown("It has ended.")

    async def starve(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk()
        yield chunk()
        await eventually(lambda: bool(node.credit.heard))
        await asyncio.sleep(0.1)
        raise errors.GrantNotExtended("No credit came.")

    node.script, node.credit.on_grant = starve, unknown

    with pytest.raises(errors.GrantNotExtended):
        await ask(router)

    assert node.credit.heard == [4]
    assert await charged(router) == 4


@pytest.mark.parametrize("told", [False, True])
async def test_node_that_samples_beyond_its_grant_is_charged_in_full(
    router: RouterSetting,
    told: bool,  # noqa: FBT001 - a case, not a mode.
) -> None:
    """It shows in the tokens that arrive, or in the count; nothing bounds it then."""
    node = await router.node("n1")

    async def refuse(_: int) -> None:
        raise errors.GrantUnknown("Not listening.")

    async def greedy(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        if told:
            yield finished(7)
            return
        for _number in range(7):
            yield chunk()
        yield finished(3)

    node.script, node.credit.on_grant = greedy, refuse

    with pytest.raises(errors.Internal):
        await ask(router)

    assert await charged(router) == TOKENS_MAX


async def test_node_that_tells_of_fewer_tokens_than_it_sent_is_not_believed(
    router: RouterSetting,
) -> None:
    """What arrived was sampled; a count below it would charge too little."""
    node = await router.node("n1")

    async def modest(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        yield started()
        async for event in samples(node, asked.private_context.grant, 5):
            yield event
        await eventually(lambda: node.credit.tokens == TOKENS_MAX)
        yield finished(4)

    node.script = modest

    with pytest.raises(errors.Internal):
        await ask(router)

    assert await charged(router) == node.credit.tokens >= 5


async def test_node_that_leaves_in_order_is_granted_on_to_its_end(
    router: RouterSetting,
) -> None:
    """A node that drains ends what runs; for that it needs its credit."""
    node = await router.node("n1")

    async def leaving(asked: pb.Generation, _: grpc.aio.ServicerContext) -> Events:
        yield started()
        await node.leave()
        async for event in samples(node, asked.private_context.grant, 6):
            yield event
        yield finished(6)

    node.script = leaving

    response = await ask(router)

    assert response.finished.charge.tokens == 6
    assert await charged(router) == 6
