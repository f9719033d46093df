"""Tiers that are waited for: near ones are filled, and no trouble is ever an error."""

import asyncio

import pytest

from federated_router.cache.answers import AnswerCache
from federated_router.cache.far_tier import FarTier
from federated_router.cache.secret import CacheSecret
from federated_router.cache.settings import CacheSettings, FarSettings, MemorySettings
from federated_router.kit.clock import ManualClock
from tests.support.cache_world import (
    PUBLIC,
    ScriptedStore,
    answer,
    cache,
    far_tier,
    found,
    key_of,
    question,
)

SECRET = CacheSecret(bytes(32))
SHORT = FarSettings(timeout_s=0.02, pause_s=5.0, lookups_max=2, waiting_bytes_max=2000)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def store() -> ScriptedStore:
    """Return an empty store that works."""
    return ScriptedStore()


def _over(*tiers: FarTier, clock: ManualClock, near: bool = True) -> AnswerCache:
    settings = CacheSettings(memory=MemorySettings() if near else None)
    return cache(settings, clock=clock, secret=SECRET, far=tiers)


async def test_an_answer_kept_by_one_process_serves_another(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """And from then on it is near: the far tier is not asked again."""
    first = _over(far_tier(store, clock), clock=clock)
    async with first:
        await first.keep(key_of(first, question()), answer(), PUBLIC)
    second = _over(far_tier(store, clock), clock=clock)
    assert await found(second, question()) is not None
    asked = store.asked
    assert await found(second, question()) is not None
    assert store.asked == asked
    assert second.activity().hits == {"memory": 1, "scripted": 1}


async def test_a_hit_far_away_fills_every_tier_before_it(clock: ManualClock) -> None:
    """Memory and the nearer far tier; the one that had it is not written again."""
    near, far = ScriptedStore(), ScriptedStore()
    filled = _over(far_tier(far, clock), clock=clock)
    async with filled:
        await filled.keep(key_of(filled, question()), answer(), PUBLIC)
    kept = dict(far.kept)
    both = _over(far_tier(near, clock), far_tier(far, clock), clock=clock)
    async with both:
        assert await found(both, question()) is not None
    assert near.kept.keys() == kept.keys()
    assert far.kept == kept


async def test_a_store_that_is_away_costs_one_attempt_until_its_pause_is_over(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """Requests are misses meanwhile; afterwards one request finds out."""
    tier = far_tier(store, clock, SHORT)
    one = _over(tier, clock=clock)
    store.away = True
    for _ in range(5):
        assert await found(one, question()) is None
    assert store.asked == 1
    await clock.advance(SHORT.pause_s)
    store.away = False
    assert await found(one, question()) is None
    assert await found(one, question()) is None
    assert store.asked == 3
    assert one.activity().failures == {"scripted": 5}


async def test_after_the_pause_one_request_asks_and_the_others_go_on(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """A store that still hangs must hold up one request, not all of them."""
    one = _over(far_tier(store, clock, SHORT), clock=clock)
    store.away = True
    await found(one, question())
    await clock.advance(SHORT.pause_s)
    store.hanging.clear()
    await asyncio.gather(*(found(one, question(str(n))) for n in range(9)))
    assert store.asked == 2


async def test_a_store_that_hangs_is_given_its_time_and_no_more(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """The request is a miss when the time is over."""
    one = _over(far_tier(store, clock, SHORT), clock=clock)
    store.hanging.clear()
    async with asyncio.timeout(30):
        assert await found(one, question()) is None


async def test_lookups_that_wait_at_once_are_bounded(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """Above the limit a request goes on at once."""
    one = _over(far_tier(store, clock, SHORT), clock=clock)
    store.hanging.clear()
    waiting = [asyncio.create_task(found(one, question(str(n)))) for n in range(2)]
    await asyncio.sleep(0)
    assert await found(one, question()) is None
    assert store.asked == SHORT.lookups_max
    store.hanging.set()
    await asyncio.gather(*waiting)


async def test_bytes_that_wait_to_be_written_are_bounded(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """A slow store loses answers; the router does not grow."""
    tier = far_tier(store, clock, SHORT)
    one = _over(tier, clock=clock)
    for number in range(50):
        key = key_of(one, question(str(number)))
        await one.keep(key, answer("x" * 500), PUBLIC)
    assert tier._waiting_bytes <= SHORT.waiting_bytes_max
    await one.__aexit__(None, None, None)
    assert 0 < len(store.kept) < 5
    assert one.activity().failures["scripted"] == 50 - len(store.kept)
    assert tier._waiting_bytes == 0


async def test_the_writer_writes_while_the_router_runs(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """Nobody has to stop for an answer to reach the far tier."""
    one = _over(far_tier(store, clock), clock=clock)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        writer = group.create_task(_run(one, "cache scripted"))
        await one.keep(key_of(one, question()), answer(), PUBLIC)
        while not store.kept:
            await asyncio.sleep(0)
        writer.cancel()

    assert set(store.kept) == {key_of(one, question()).place}


async def test_nonsense_in_a_store_is_a_miss_and_is_deleted(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """Neither an error nor an answer, and not looked at twice."""
    one = _over(far_tier(store, clock), clock=clock, near=False)
    key = key_of(one, question())
    store.kept[key.place] = b"nonsense"
    assert await one.find(key) is None
    assert store.kept == {}
    assert one.activity().failures == {"scripted": 1}


async def test_an_expired_answer_is_not_served_by_a_store_that_kept_it(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """The end is sealed with the answer; the store need not be believed."""
    one = _over(far_tier(store, clock), clock=clock, near=False)
    async with one:
        await one.keep(key_of(one, question()), answer(), PUBLIC)
    assert await found(one, question()) is not None
    await clock.advance(3600.0)
    assert store.kept
    assert await found(one, question()) is None


async def test_what_a_store_holds_tells_no_prompt_answer_or_tenant(
    clock: ManualClock, store: ScriptedStore
) -> None:
    """Whoever reads the disk or the server sees sealed bytes under digests."""
    one = _over(far_tier(store, clock), clock=clock)
    async with one:
        await one.keep(key_of(one, question()), answer(), PUBLIC)
    [(place, sealed)] = store.kept.items()
    outside = place.digest + place.tenant + sealed
    for secret in (b"metformin", b"diabetes", b"clinic", b"small"):
        assert secret not in outside


async def _run(one: AnswerCache, work: str) -> None:
    await one.background[work]()
