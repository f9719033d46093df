"""Watchers hear at once, never a backlog, and are limited in number."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from coordinator.newest import Newest, WatchLimits
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import Draining, LimitReached

LIMITS = WatchLimits(watchers_max=2, progress_s=1.0, sign_of_life_s=5.0)


@pytest.fixture
def still() -> ManualClock:
    """Return a clock of the test's own."""
    return ManualClock()


@pytest.fixture
def newest(still: ManualClock) -> Newest[str]:
    """Return something to watch."""
    return Newest(LIMITS, still)


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def coming(watch: AsyncGenerator[str | None, None]) -> asyncio.Future[str | None]:
    """Return what the watcher hears next."""
    return asyncio.ensure_future(anext(watch))


async def test_watcher_hears_what_is_there_at_once(newest: Newest[str]) -> None:
    """Also that there is nothing yet."""
    watch = newest.watch()
    assert await anext(watch) is None

    newest.put("a")

    assert await anext(watch) == "a"
    await watch.aclose()


async def test_slow_watcher_gets_the_newest_and_no_backlog(newest: Newest[str]) -> None:
    """What is no longer true is not told."""
    watch = newest.watch()
    await anext(watch)

    for value in "abc":
        newest.put(value)

    assert await anext(watch) == "c"
    silent = coming(watch)
    await settled()
    assert not silent.done()
    silent.cancel()


async def test_quiet_change_is_told_within_the_progress_time(
    newest: Newest[str], still: ManualClock
) -> None:
    """A hundred members that join do not wake a hundred watchers each."""
    watch = newest.watch()
    await anext(watch)
    told = coming(watch)
    await settled()
    newest.amend("a")
    await settled()
    assert not told.done()

    await still.advance(1.0)

    assert await told == "a"
    await watch.aclose()


async def test_a_watcher_without_progress_hears_no_quiet_change(
    newest: Newest[str], still: ManualClock
) -> None:
    """Members act on states; counts of others would be most of what they are sent."""
    watch = newest.watch(progress=False)
    await anext(watch)
    told = coming(watch)
    for _ in range(4):
        await settled()
        newest.amend("a")
        await still.advance(1.0)
    await settled()
    assert not told.done()

    newest.put("b")

    assert await told == "b"
    await watch.aclose()


async def test_a_watcher_without_progress_still_gets_signs_of_life(
    newest: Newest[str], still: ManualClock
) -> None:
    """And with it what was amended meanwhile."""
    watch = newest.watch(progress=False)
    await anext(watch)
    told = coming(watch)
    await settled()
    newest.amend("a")

    await still.advance(5.0)

    assert await told == "a"
    await watch.aclose()


async def test_silence_ends_with_a_sign_of_life(
    newest: Newest[str], still: ManualClock
) -> None:
    """A watcher can tell a quiet coordinator from a dead one."""
    newest.put("a")
    watch = newest.watch()
    await anext(watch)
    told = coming(watch)
    for _ in range(4):
        await settled()
        await still.advance(1.0)
    assert not told.done()

    await settled()
    await still.advance(1.0)

    assert await told == "a"
    await watch.aclose()


async def test_watchers_have_a_limit_and_free_their_place(newest: Newest[str]) -> None:
    """One more than allowed is refused until another leaves."""
    first, second, third = newest.watch(), newest.watch(), newest.watch()
    await anext(first)
    await anext(second)

    with pytest.raises(LimitReached):
        await anext(third)
    await first.aclose()
    fourth = newest.watch()
    await anext(fourth)

    assert newest.watchers == 2
    await second.aclose()
    await fourth.aclose()


async def test_draining_sends_watchers_away_until_reopened(newest: Newest[str]) -> None:
    """A daemon that ends does not keep its callers until the grace period is over."""
    watch = newest.watch()
    await anext(watch)
    told = coming(watch)
    await settled()

    newest.close()

    with pytest.raises(Draining):
        await told
    with pytest.raises(Draining):
        await anext(newest.watch())
    newest.reopen()
    again = newest.watch()
    assert await anext(again) is None
    await again.aclose()
