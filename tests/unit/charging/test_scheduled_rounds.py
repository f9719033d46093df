"""Rounds that open by themselves, driven by the conductor under a clock of the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.kit.errors import RoundStateWrong
from federated_router.privacy.renewal import RenewalPolicy
from tests.support import round_script as script
from tests.support.charging_world import COST, ChargingWorld

DAY_S = 86_400.0


@pytest.fixture
async def scheduled(directory: Path) -> AsyncIterator[ChargingWorld]:
    """Return a world whose rounds open every 100 s, retried after 10 s."""
    made = await ChargingWorld.open(directory, interval_s=100.0)
    yield made
    await made.database.close()


@asynccontextmanager
async def running(world: ChargingWorld) -> AsyncIterator[None]:
    """Run the conductor's background work."""
    task = asyncio.create_task(world.conductor.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(world: ChargingWorld, holds: Callable[[Round], bool]) -> Round:
    """Return the newest round once something holds of it, without any time passing."""
    async with asyncio.timeout(30):
        while True:
            found = world.conductor._keeper.held
            if found is not None and holds(found):
                return found
            await asyncio.sleep(0)


async def pass_time(world: ChargingWorld, duration_s: float) -> None:
    """Let time pass second by second, each once everybody waits for it."""
    for _ in range(int(duration_s)):
        async with asyncio.timeout(30):
            while all(waiter.done() for _, waiter in world.clock._sleepers):
                await asyncio.sleep(0)
        await world.clock.advance(1)


async def openings(world: ChargingWorld) -> list[float]:
    """Return when each round opened, in seconds since the start, oldest first."""
    page = await world.rounds.page(size=1000, before=0)
    return [round_.started_s - script.START_S for _, round_ in reversed(page.rounds)]


async def test_aborted_rounds_are_retried_with_growing_pauses(
    scheduled: ChargingWorld,
) -> None:
    """Nobody joins: each attempt lasts 10 s, and the pauses are 10, 20, 40, 80 s.

    Each is cut short where a round would be due anyway, 100 s after the last start.
    """
    await scheduled.grant(100 * COST)
    await scheduled.live()
    async with running(scheduled):
        await until(scheduled, lambda _: True)
        await pass_time(scheduled, 270)

    assert await openings(scheduled) == pytest.approx([0, 20, 50, 100, 190], abs=3)


async def test_round_on_demand_takes_the_place_of_the_next_one(
    scheduled: ChargingWorld,
) -> None:
    """The interval counts from whatever round began last, and two never run at once."""
    await scheduled.grant(100 * COST)
    await scheduled.live()
    first = await scheduled.play(State.VALIDATING)
    with pytest.raises(RoundStateWrong):
        await scheduled.create()
    await scheduled.tell(first.name, events.Refused("implausible"))
    await scheduled.clock.advance(60)

    demanded = await scheduled.play(State.VALIDATING)
    await scheduled.tell(demanded.name, events.Refused("implausible"))
    async with running(scheduled):
        await pass_time(scheduled, 105)

    assert (await openings(scheduled))[:3] == pytest.approx([0, 60, 160], abs=3)


async def test_absent_coordinator_opens_one_round_and_no_burst(
    scheduled: ChargingWorld,
) -> None:
    """Ten intervals were missed; members' counts go into one round all the same."""
    await scheduled.grant(100 * COST)
    await scheduled.live()
    first = await scheduled.play(State.VALIDATING)
    await scheduled.tell(first.name, events.Refused("implausible"))
    await scheduled.clock.advance(1_050)

    await scheduled.live()
    async with running(scheduled):
        second = await until(scheduled, lambda found: found.name != first.name)
        await scheduled.tell(second.name, events.AbortRequested("enough"))
        await pass_time(scheduled, 5)

    assert await openings(scheduled) == pytest.approx([0, 1050], abs=1)


async def test_used_up_budget_stops_the_schedule_until_it_renews(
    scheduled: ChargingWorld,
) -> None:
    """The daemon lives on, asks seldom, and goes on by itself in the new window."""
    await scheduled.grant(COST, renewal=RenewalPolicy.DAILY)
    await scheduled.live()
    first = await scheduled.play(State.VALIDATING)
    await scheduled.tell(first.name, events.Refused("implausible"))
    asked = 0
    admit = scheduled.charges.admit

    async def counted(terms: object) -> None:
        nonlocal asked
        asked += 1
        await admit(terms)  # type: ignore[arg-type]

    scheduled.charges.admit = counted  # type: ignore[method-assign]
    async with running(scheduled):
        await pass_time(scheduled, 400)
        assert (await openings(scheduled)) == [0]
        refused = asked
        midnight_s = DAY_S - scheduled.clock.now_s()
        await scheduled.clock.advance(midnight_s)
        await pass_time(scheduled, 101)

    assert 4 <= refused <= 7
    assert len(await openings(scheduled)) >= 2
