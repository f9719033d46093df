"""Time that jumps: never while something computes, and always to the next timer."""

import asyncio
import threading
import time

import pytest

from coordinator.simulation import virtual_loop
from coordinator.simulation.virtual_clock import VirtualClock
from coordinator.simulation.virtual_loop import Stalled, VirtualLoop, run_virtual

WORK_S = 0.25


def test_hour_of_sleep_passes_at_once_and_in_the_order_of_its_timers() -> None:
    """A simulation must not wait; sleepers must still wake as they would have."""

    async def world(loop: VirtualLoop) -> tuple[list[str], float]:
        woken: list[str] = []

        async def sleeper(name: str, duration_s: float) -> None:
            await asyncio.sleep(duration_s)
            woken.append(name)

        await asyncio.gather(sleeper("late", 3600.0), sleeper("early", 1.0))
        return woken, loop.time()

    begin_s = time.monotonic()
    woken, virtual_s = run_virtual(world, work_s=WORK_S)

    assert woken == ["early", "late"]
    assert virtual_s == pytest.approx(3600.0)
    assert time.monotonic() - begin_s < 60


def test_work_in_a_thread_takes_its_virtual_time_however_long_it_computes() -> None:
    """Time that passed while a thread computes would make runs unrepeatable.

    The work outlasts real time in which every timer of the world would have ended.
    """

    async def world(loop: VirtualLoop) -> tuple[float, float]:
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                await asyncio.sleep(WORK_S / 5)
                ticks.append(loop.time())

        ticking = asyncio.create_task(tick())
        await asyncio.to_thread(time.sleep, 0.05)
        ticking.cancel()
        return loop.time(), len(ticks)

    virtual_s, ticks = run_virtual(world, work_s=WORK_S)

    assert virtual_s == pytest.approx(WORK_S)
    assert 4 <= ticks <= 5


def test_thread_may_ask_the_loop_and_wait_for_its_answer() -> None:
    """The coordinator's summing thread reads ciphertexts through the loop."""

    async def world(loop: VirtualLoop) -> int:
        async def read() -> int:
            return 41

        def add() -> int:
            return asyncio.run_coroutine_threadsafe(read(), loop).result(30) + 1

        return await asyncio.to_thread(add)

    assert run_virtual(world, work_s=WORK_S) == 42


def test_work_that_fails_raises_where_it_was_asked_for() -> None:
    """An error that a thread swallowed would look like a member that fell silent."""

    async def world(_: VirtualLoop) -> None:
        await asyncio.to_thread(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        run_virtual(world, work_s=WORK_S)


def test_world_in_which_nothing_can_happen_any_more_is_told() -> None:
    """A simulation that hangs must end with words, not with the test's time."""

    async def world(_: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled, match="Everybody waits"):
        run_virtual(world, work_s=WORK_S)


def test_thread_that_computes_for_ever_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time stands still for it, so nothing else could notice."""
    monkeypatch.setattr(virtual_loop, "STALL_S", 0.02)

    async def world(_: VirtualLoop) -> None:
        await asyncio.to_thread(time.sleep, 0.2)

    with pytest.raises(Stalled, match="A thread"):
        run_virtual(world, work_s=WORK_S)


def test_processor_time_of_threads_is_kept_by_who_asked() -> None:
    """The report tells what a member computes; sleeping is not computing."""

    async def world(loop: VirtualLoop) -> float:
        await asyncio.to_thread(threading.Event().wait, 0.02)
        await asyncio.to_thread(sum, range(200_000))
        return loop.cpu_s[""]

    assert 0 < run_virtual(world, work_s=WORK_S) < 1.0


def test_wall_clock_jumps_and_the_monotonic_one_does_not() -> None:
    """Deadlines inside a process must not notice that somebody set the date."""

    async def world(_: VirtualLoop) -> tuple[float, float]:
        clock = VirtualClock(1_000.0)
        await clock.sleep(5.0)
        clock.jump(-30.0)
        return clock.now_s(), clock.monotonic_s()

    assert run_virtual(world, work_s=WORK_S) == pytest.approx((975.0, 5.0))
