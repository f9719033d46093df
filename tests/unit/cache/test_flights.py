"""Equal requests at once: one is made, and nobody waits for ever."""

import asyncio

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.answers import AnswerCache
from federated_router.cache.flights import Flights
from federated_router.cache.settings import CacheSettings, MemorySettings
from tests.support.cache_world import PUBLIC, answer, cache, found, key_of, question

PATIENT = CacheSettings(memory=MemorySettings(), coalesce_s=5.0, coalesced_max=8)


async def _crowd(
    store: AnswerCache, size: int
) -> list[asyncio.Task[pb.CompleteResponse | None]]:
    tasks = [asyncio.create_task(found(store, question())) for _ in range(size)]
    await asyncio.sleep(0.01)
    return tasks


async def test_of_equal_requests_one_goes_and_the_others_get_its_answer() -> None:
    """Eight times the same question costs one generation."""
    store = cache(PATIENT)
    first, *others = await _crowd(store, 8)
    assert first.done()
    assert first.result() is None
    assert not any(one.done() for one in others)
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    answers = await asyncio.gather(*others)
    assert [one.text for one in answers if one] == ["For diabetes."] * 7


async def test_who_waits_goes_on_when_the_first_gives_up() -> None:
    """A failed request must not hold up those behind it."""
    store = cache(PATIENT)
    _, *others = await _crowd(store, 3)
    store.abandon(key_of(store, question()))
    async with asyncio.timeout(30):
        assert await asyncio.gather(*others) == [None, None]


async def test_who_waits_goes_on_when_the_time_is_over() -> None:
    """Also where the first one never says anything again."""
    store = cache(PATIENT.model_copy(update={"coalesce_s": 0.02}))
    tasks = await _crowd(store, 3)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*tasks) == [None, None, None]
    assert store._flights._under_way == {}


async def test_those_who_wait_are_bounded() -> None:
    """Above the limit a request goes on at once."""
    store = cache(PATIENT)
    tasks = await _crowd(store, 20)
    assert sum(one.done() for one in tasks) == 20 - PATIENT.coalesced_max
    assert store._flights.waiting == PATIENT.coalesced_max
    store.abandon(key_of(store, question()))
    await asyncio.gather(*tasks)
    assert store._flights.waiting == 0


async def test_an_answer_that_is_not_kept_ends_the_waiting_too() -> None:
    """One too long to keep is no reason to let others wait."""
    store = cache(PATIENT.model_copy(update={"answer_bytes_max": 10}))
    _, *others = await _crowd(store, 2)
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*others) == [None]


async def test_by_default_nobody_waits() -> None:
    """A stream's first token must not wait for another stream's last."""
    assert not any([await one for one in await _crowd(cache(), 3)])


async def test_a_cancelled_request_no_longer_counts_as_waiting() -> None:
    """Its place is free for another."""
    flights = Flights(wait_s=5.0, waiting_max=1)
    assert not await flights.join(b"q")
    waiting = asyncio.create_task(flights.join(b"q"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert flights.waiting == 0
    flights.end(b"q")


async def test_flights_under_way_are_bounded() -> None:
    """Ever new questions must not make a router grow."""
    flights = Flights(wait_s=5.0, waiting_max=4)
    for number in range(100):
        await flights.join(bytes((number,)))
    assert len(flights._under_way) == 4
    for number in range(100):
        flights.end(bytes((number,)))
