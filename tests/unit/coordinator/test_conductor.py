"""The driver: deadlines without messages, schedules, a store that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from coordinator.core import draw_round_name
from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.rounds.store import Request
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import (
    LimitReached,
    RoundStateWrong,
    StoreUnavailable,
)
from federated_router.kit.names import is_id
from tests.support import round_script as script
from tests.support.coordinator_world import CONTEXT, ROUNDS, CoordinatorWorld


@asynccontextmanager
async def running(world: CoordinatorWorld) -> AsyncIterator[asyncio.Task[None]]:
    """Run the conductor's background work until the end of the block."""
    task = asyncio.create_task(world.core.conductor.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(
    world: CoordinatorWorld, holds: Callable[[Round | None], bool]
) -> Round:
    """Return the newest round once something holds of it."""
    async with asyncio.timeout(30):
        while not holds(world.core.feeds.rounds.value):
            await asyncio.sleep(0)
    found = world.core.feeds.rounds.value
    assert found is not None
    return found


async def advance(world: CoordinatorWorld, duration_s: float) -> None:
    """Move the clock once the conductor waits for it."""
    async with asyncio.timeout(30):
        while all(waiter.done() for _, waiter in world.clock._sleepers):
            await asyncio.sleep(0)
    await world.clock.advance(duration_s)


async def restarted(world: CoordinatorWorld, **changes: float) -> None:
    """Restart the coordinator with other settings."""
    world.rounds = ROUNDS.model_copy(update=changes)
    await world.restart()


async def test_deadline_passes_without_any_message(world: CoordinatorWorld) -> None:
    """A round to which nobody comes ends by itself, with the cause."""
    async with running(world):
        await world.open_round()
        await until(world, lambda found: found is not None)

        await advance(world, 60)

        ended = await until(world, lambda found: found is not None and found.ended)
    assert ended.end_cause == "0 members joined; a round needs 3."


async def test_scheduled_rounds_open_by_themselves(world: CoordinatorWorld) -> None:
    """From start to start, one at a time, also across a restart."""
    await restarted(world, interval_s=100.0)
    async with running(world):
        first = await until(world, lambda found: found is not None)
        await advance(world, 60)
        await until(world, lambda found: found is not None and found.ended)
        await advance(world, 39)
        assert (await world.newest()).name == first.name

        await advance(world, 1)
        second = await until(
            world, lambda found: found is not None and found.name != first.name
        )

    await world.restart()
    assert (await world.newest()).name == second.name
    assert second.terms.members_expected == 0


async def test_round_that_nobody_asked_for_is_never_opened(
    world: CoordinatorWorld,
) -> None:
    """Without an interval, rounds are opened by operators only."""
    await world.work()
    await world.clock.advance(1e6)
    await world.work()

    assert (await world.newest()).name == ""


async def test_store_that_fails_is_believed_and_memory_is_not(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of unknown outcome is looked up: what was told is what is stored."""
    name = await world.open_round()
    conductor, save = world.core.conductor, world.core.conductor._store.save

    async def lost(*_: object, **__: object) -> Round:
        raise StoreUnavailable("The database did not answer.")

    monkeypatch.setattr(conductor._store, "save", lost)
    with pytest.raises(StoreUnavailable):
        await conductor.tell(name, script.joined(1))
    monkeypatch.setattr(conductor._store, "save", save)

    after = await conductor.tell(name, script.joined(2))

    assert set(after.members) == {script.member(2)}


async def test_commit_whose_answer_was_lost_is_found_and_told(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller hung up during the commit; watchers and deadlines go on from it."""
    name = await world.open_round(members_expected=3)
    conductor = world.core.conductor
    await conductor.tell(name, script.joined(1))
    await conductor.tell(name, script.joined(2))
    save = conductor._store.save

    async def hung_up(before: Round, after: Round, **_: object) -> Round:
        await save(before, after)
        raise asyncio.CancelledError

    monkeypatch.setattr(conductor._store, "save", hung_up)
    with pytest.raises(asyncio.CancelledError):
        await conductor.tell(name, script.joined(3))
    monkeypatch.setattr(conductor._store, "save", save)
    async with running(world):
        told = await until(
            world, lambda found: found is not None and found.state is State.REVEALING
        )

    assert len(told.members) == 3


async def test_round_whose_creation_was_not_answered_is_found_again(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator repeats the request, and members join the round it made."""
    conductor = world.core.conductor
    create = conductor._store.create

    async def hung_up(round_: Round, request: Request) -> Round:
        await create(round_, request)
        raise asyncio.CancelledError

    monkeypatch.setattr(conductor._store, "create", hung_up)
    with pytest.raises(asyncio.CancelledError):
        await world.open_round()
    monkeypatch.setattr(conductor._store, "create", create)
    name = await world.open_round()

    after = await conductor.tell(name, script.joined(1))

    assert set(after.members) == {script.member(1)}
    assert (await world.newest()).joined_count == 1


async def test_background_work_outlives_a_store_that_is_away(
    world: CoordinatorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of the database delays a deadline; it does not end the daemon."""
    await world.open_round()
    store, save = world.core.conductor._store, world.core.conductor._store.save
    failures: list[int] = []

    async def failing(before: Round, after: Round, **_: object) -> Round:
        if len(failures) < 2:
            failures.append(1)
            raise StoreUnavailable("The database did not answer.")
        return await save(before, after)

    monkeypatch.setattr(store, "save", failing)
    async with running(world) as task:
        await advance(world, 60)
        for _ in range(2):
            await advance(world, 1)
        ended = await until(world, lambda found: found is not None and found.ended)

        assert not task.done()
    assert ended.state is State.ABORTED
    assert len(failures) == 2


async def test_messages_that_come_together_are_all_taken(
    world: CoordinatorWorld,
) -> None:
    """Transitions are one after the other, so that none is lost."""
    name = await world.open_round(members_expected=0)
    conductor = world.core.conductor

    await asyncio.gather(
        *(conductor.tell(name, script.joined(index)) for index in range(1, 31))
    )

    assert (await world.newest()).joined_count == 30


async def test_message_to_a_round_that_is_over_gets_its_state(
    world: CoordinatorWorld,
) -> None:
    """An older round is read from the store and refuses everything."""
    first = await world.open_round()
    conductor = world.core.conductor
    await conductor.tell(first, events.AbortRequested("enough"))
    world.restarts += 1
    await world.open_round()

    with pytest.raises(RoundStateWrong):
        await conductor.tell(first, script.joined(1))


async def test_work_that_an_operator_overtakes_changes_nothing(
    world: CoordinatorWorld,
) -> None:
    """The sum was ready when the round had been aborted."""
    name = await world.open_round()
    conductor = world.core.conductor
    await conductor.tell(name, events.AbortRequested("enough"))

    with pytest.raises(RoundStateWrong):
        await conductor.tell(name, events.Summed())

    assert (await world.newest()).end_cause == "enough"


async def test_uploads_have_a_limit_and_free_their_place(
    world: CoordinatorWorld,
) -> None:
    """Bodies in memory are bounded; one more waits, and is asked to come again."""
    await restarted(world, uploads_max=1, transfer_timeout_s=0.05)
    uploads = world.core.aggregation._uploads
    one, other = MemberName("node/one"), MemberName("node/other")

    for late in (one, other):
        async with uploads.place(one, CONTEXT):
            with pytest.raises(LimitReached):
                await uploads.place(late, CONTEXT).__aenter__()
            assert uploads.running == 1

    async with uploads.place(other, CONTEXT):
        assert uploads.running == 1


def test_round_names_are_safe_and_never_the_same() -> None:
    """Members answer once per name: a name must not return, not even by restore."""
    names = {draw_round_name(1_700_000_000.0) for _ in range(100)}

    assert len(names) == 100
    assert all(is_id(name.removeprefix("rounds/")) for name in names)
