"""What watchers are told waits for its turn, and a thousand are not told at once."""

import asyncio
from contextlib import aclosing

import pytest

from coordinator.rounds.service_limits import ServiceLimits
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import LimitReached
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import (
    CONTEXT,
    ROUNDS,
    CoordinatorWorld,
    identity,
)
from tests.support.round_member import NAMES

REQUEST = pb2.WatchRoundRequest(name="rounds/-")


async def narrow(world: CoordinatorWorld, *, timeout_s: float) -> None:
    """Let one message be on its way at a time."""
    world.rounds = ROUNDS.model_copy(
        update={"answer_bytes_max": 1, "transfer_timeout_s": timeout_s}
    )
    await world.restart()
    await world.open_round()


async def test_watchers_take_turns_where_there_are_few_places(
    world: CoordinatorWorld,
) -> None:
    """The names of a thousand survivors are 16 kB for each of a thousand watchers."""
    await narrow(world, timeout_s=30.0)
    service = world.core.aggregation
    set_current_identity(identity(NAMES[0]))
    first, second = (
        service.WatchRound(REQUEST, CONTEXT),
        service.WatchRound(REQUEST, CONTEXT),
    )
    async with aclosing(first), aclosing(second):
        assert (await anext(first)).HasField("round")
        waiting = asyncio.ensure_future(anext(second))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), timeout=0.2)
        assert service._news.under_way

        next_of_first = asyncio.ensure_future(anext(first))

        assert (await asyncio.wait_for(waiting, timeout=30)).HasField("round")
        next_of_first.cancel()
        await asyncio.gather(next_of_first, return_exceptions=True)

    assert not service._news.under_way


async def test_a_watcher_whose_turn_does_not_come_is_told_to_come_back(
    world: CoordinatorWorld,
) -> None:
    """It would otherwise wait for one that does not read."""
    await narrow(world, timeout_s=0.1)
    service = world.core.aggregation
    set_current_identity(identity(NAMES[0]))

    async def reads_nothing() -> None:
        async with aclosing(service.WatchRound(REQUEST, CONTEXT)) as stalled:
            await anext(stalled)
            await asyncio.sleep(30)

    stalled = asyncio.create_task(reads_nothing())
    async with asyncio.timeout(30):
        while not service._news.under_way:
            await asyncio.sleep(0)
    second = service.WatchRound(REQUEST, CONTEXT)
    async with aclosing(second):
        with pytest.raises(LimitReached):
            await anext(second)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(stalled, timeout=30)
    assert not service._news.under_way


def test_news_has_room_however_little_answers_have() -> None:
    """A limit of nothing would be a watch that never says anything."""
    limits = ServiceLimits(uploads_max=1, answer_bytes_max=1, transfer_timeout_s=1.0)

    assert limits.news_bytes_max == 1
