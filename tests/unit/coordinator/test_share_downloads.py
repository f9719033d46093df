"""Handing out sealed shares: few at a time, to everybody in the end."""

import asyncio
from contextlib import aclosing

import pytest

from coordinator.rounds.round import RoundName
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.federation.wire import round_from_message
from federated_router.kit.errors import RoundStateWrong
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import (
    CONTEXT,
    ROUNDS,
    CoordinatorWorld,
    identity,
)
from tests.support.round_member import NAMES, RunningMember


async def checking(world: CoordinatorWorld, members: list[RunningMember]) -> RoundName:
    """Bring a round to where holders check what was dealt to them."""
    name = await world.open_round()
    for _ in ("joining", "revealing", "collecting"):
        seen = round_from_message(await world.newest())
        for running in members:
            await running.member.act(seen)
    return name


async def downloaded(world: CoordinatorWorld, name: RoundName, member: str) -> bytes:
    """Return the shares that a member is handed."""
    set_current_identity(identity(member))
    request = pb2.DownloadSharesRequest(round=name)
    stream = world.core.aggregation.DownloadShares(request, CONTEXT)
    async with aclosing(stream):
        return b"".join([part.chunk async for part in stream])


async def test_holders_take_turns_where_there_are_few_places(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Shares of a thousand holders at once would not fit the coordinator's memory."""
    world.rounds = ROUNDS.model_copy(update={"answer_bytes_max": 1})
    await world.restart()
    name = await checking(world, members)
    set_current_identity(identity(NAMES[0]))
    slow = world.core.aggregation.DownloadShares(
        pb2.DownloadSharesRequest(round=name), CONTEXT
    )
    async with aclosing(slow):
        assert (await anext(slow)).HasField("header")
        waiting = asyncio.ensure_future(downloaded(world, name, NAMES[1]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), timeout=0.2)
        assert world.core.aggregation._answers.under_way

    assert await waiting
    assert not world.core.aggregation._answers.under_way


async def test_holder_that_hangs_up_leaves_its_place(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Cut connections must not use up the places."""
    world.rounds = ROUNDS.model_copy(update={"answer_bytes_max": 1})
    await world.restart()
    name = await checking(world, members)
    for member in NAMES:
        set_current_identity(identity(member))
        stream = world.core.aggregation.DownloadShares(
            pb2.DownloadSharesRequest(round=name), CONTEXT
        )
        await anext(stream)
        await stream.aclose()

    assert not world.core.aggregation._answers.under_way
    assert len(await downloaded(world, name, NAMES[0])) > 0


async def test_shares_are_refused_before_anybody_dealt(
    world: CoordinatorWorld,
) -> None:
    """Their size follows from a roster that is not there yet; the state says so."""
    name = await world.open_round()

    with pytest.raises(RoundStateWrong):
        await downloaded(world, name, NAMES[0])

    assert not world.core.aggregation._answers.under_way
