"""The manual clock stands still, wakes sleepers in order, and leaves nobody behind."""

import asyncio
import time

import pytest

from federated_router.kit.clock import Clock, ManualClock, SystemClock


async def test_manual_time_stands_still_until_advanced() -> None:
    """A test owns every second."""
    clock = ManualClock(start_s=100.0)
    before = clock.now_s()

    await clock.advance(2.5)

    assert (before, clock.now_s(), clock.monotonic_s()) == (100.0, 102.5, 102.5)


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    """Who is due first acts first, whoever asked first."""
    clock = ManualClock()
    woken: list[int] = []

    async def sleeper(duration_s: int) -> None:
        await clock.sleep(duration_s)
        woken.append(duration_s)

    tasks = [asyncio.create_task(sleeper(duration_s)) for duration_s in (3, 1, 2)]
    await asyncio.sleep(0)

    await clock.advance(2)
    early = list(woken)
    await clock.advance(1)

    assert (early, woken) == ([1, 2], [1, 2, 3])
    await asyncio.gather(*tasks)


async def test_cancelled_sleeper_disturbs_nobody() -> None:
    """A task that went away must not break the ones that stayed."""
    clock = ManualClock()
    gone = asyncio.create_task(clock.sleep(1))
    stays = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    gone.cancel()

    await clock.advance(1)

    assert stays.done()
    assert gone.cancelled()


async def test_sleep_of_nothing_waits_for_the_next_advance() -> None:
    """Time that stands still wakes nobody, not even at once."""
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(0))
    await asyncio.sleep(0)
    before = task.done()

    await clock.advance(0)

    assert (before, task.done()) == (False, True)


async def test_loop_of_sleeps_runs_once_per_advance() -> None:
    """A background loop sees each step of a test's time once."""
    clock = ManualClock()
    turns: list[float] = []

    async def loop() -> None:
        while True:
            await clock.sleep(1)
            turns.append(clock.now_s())

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)

    for _ in range(3):
        await clock.advance(1)

    assert len(turns) == 3
    task.cancel()


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
def test_both_are_clocks(clock: Clock) -> None:
    """Domain code takes either."""
    first = clock.monotonic_s()

    assert clock.monotonic_s() >= first


def test_system_clock_is_the_systems() -> None:
    """Seconds since the epoch, not of this process."""
    assert abs(SystemClock().now_s() - time.time()) < 5
