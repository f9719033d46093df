"""The tier in a real Redis server: limits over all routers, and an end for each answer.

Every test reads the server as an outsider would, beside what the store says.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from federated_router.cache.entries import OVERHEAD_BYTES, Place, StoredAnswer
from federated_router.cache.redis_script import SWEPT_MAX
from federated_router.cache.redis_store import RedisStore
from federated_router.cache.secret import SEALED_OVERHEAD_BYTES, CacheSecret
from federated_router.cache.settings import RedisSettings
from federated_router.cache.store import StoreDown
from federated_router.kit.errors import FieldInvalid
from tests.support.redis_server import PASSWORD, RedisServer

SECRET = CacheSecret(bytes(32))
NOW_S = 1_700_000_000.0
SIZE = 1000
COUNTED = SIZE + SEALED_OVERHEAD_BYTES + OVERHEAD_BYTES


def _place(name: str, tenant: str = "clinic") -> Place:
    return SECRET.place(tenant=tenant, question=name.encode())


def _settings(server: RedisServer, *, answers_max: int = 100) -> RedisSettings:
    return RedisSettings(
        url=server.url,
        password_file=server.password_file,
        bytes_max=answers_max * COUNTED,
        timeout_s=5.0,
    )


@asynccontextmanager
async def _opened(
    settings: RedisSettings, *, share: float = 1.0
) -> AsyncIterator[RedisStore]:
    store = RedisStore.open(settings, tenant_share_max=share, lifetime_max_s=600.0)
    try:
        yield store
    finally:
        await store.close()


async def _kept(
    store: RedisStore, name: str, tenant: str = "clinic", *, lifetime_s: float = 60.0
) -> Place:
    place = _place(name, tenant)
    sealed = SECRET.seal(place, StoredAnswer(b"x" * SIZE, NOW_S + lifetime_s))
    await store.keep(place, sealed, now_s=NOW_S)
    return place


def _answers(server: RedisServer) -> set[bytes]:
    with server.connect() as client:
        return set(client.keys("*:answer:*"))


def _books_agree(server: RedisServer) -> bool:
    """Whether the index says what lies there: entries, sizes, sums by tenant."""
    prefix = "{federated-router}"
    with server.connect() as client:
        sizes = {k: int(v) for k, v in client.hgetall(f"{prefix}:sizes").items()}
        used = {k: int(v) for k, v in client.hgetall(f"{prefix}:used").items()}
        order = set(client.zrange(f"{prefix}:order", 0, -1))
        ends = set(client.zrange(f"{prefix}:ends", 0, -1))
        own = {
            member
            for key in client.keys(f"{prefix}:order:*")
            for member in client.zrange(key, 0, -1)
        }
        sums: dict[bytes, int] = {}
        for member, size in sizes.items():
            for whom in (member.split(b":")[0], b"all"):
                sums[whom] = sums.get(whom, 0) + size
    return order == ends == own == set(sizes) and sums == used


async def test_what_one_router_keeps_another_finds(redis: RedisServer) -> None:
    """And nobody without the place: a tenant has its own."""
    async with _opened(_settings(redis)) as one, _opened(_settings(redis)) as two:
        place = await _kept(one, "a")
        sealed = await two.find(place, now_s=NOW_S)
        assert sealed is not None
        assert SECRET.open(place, sealed).content == b"x" * SIZE
        assert await two.find(_place("a", "other"), now_s=NOW_S) is None
    assert _books_agree(redis)


async def test_the_server_ends_each_answer_by_itself(redis: RedisServer) -> None:
    """No router needs to be there for an answer to end; the index ends as well."""
    async with _opened(_settings(redis)) as store:
        place = await _kept(store, "a", lifetime_s=0.05)
        await asyncio.sleep(0.1)
        assert await store.find(place, now_s=NOW_S) is None
    with redis.connect() as client:
        assert _answers(redis) == set()
        assert all(client.pttl(key) > 0 for key in client.keys("*"))


async def test_expired_answers_stop_counting_with_the_next_write(
    redis: RedisServer,
) -> None:
    """As many at a time as one command may take."""
    async with _opened(_settings(redis, answers_max=500)) as store:
        for number in range(SWEPT_MAX + 5):
            await _kept(store, str(number), lifetime_s=0.001)
        await asyncio.sleep(0.05)
        await _kept(store, "b")
        await _kept(store, "c")
        assert store.bytes_held == 2 * COUNTED
    assert _books_agree(redis)


async def test_bytes_are_bounded_over_all_routers_and_the_least_used_goes(
    redis: RedisServer,
) -> None:
    """Two routers that write by turns keep one limit."""
    settings = _settings(redis, answers_max=3)
    async with _opened(settings) as one, _opened(settings) as two:
        places = []
        for name, store in (("a", one), ("b", two), ("c", one)):
            places.append(await _kept(store, name))
            await asyncio.sleep(0.002)
        assert await two.find(places[0], now_s=NOW_S) is not None
        await _kept(two, "d")
        assert two.bytes_held == 3 * COUNTED
        assert await one.find(places[1], now_s=NOW_S) is None
        assert await one.find(places[0], now_s=NOW_S) is not None
    assert len(_answers(redis)) == 3
    assert _books_agree(redis)


async def test_a_tenant_has_its_share_and_loses_its_own(redis: RedisServer) -> None:
    """One that asks much must not empty the cache of those who ask little."""
    async with _opened(_settings(redis, answers_max=4), share=0.5) as store:
        theirs = await _kept(store, "t", "other")
        for name in "abcdef":
            await _kept(store, name)
        assert store.bytes_held == 3 * COUNTED
        assert await store.find(theirs, now_s=NOW_S) is not None
    assert _books_agree(redis)


async def test_an_answer_larger_than_the_share_is_not_sent(redis: RedisServer) -> None:
    """It could only be kept by breaking the limit."""
    async with _opened(_settings(redis, answers_max=1), share=0.5) as store:
        await _kept(store, "a")
    assert _answers(redis) == set()


async def test_replacing_and_forgetting_keep_the_books(redis: RedisServer) -> None:
    """Neither counts twice, nor leaves anything."""
    async with _opened(_settings(redis)) as store:
        for _ in range(3):
            place = await _kept(store, "a")
        assert store.bytes_held == COUNTED
        assert _books_agree(redis)
        await store.forget(place)
        await store.forget(place)
        assert store.bytes_held == 0
    with redis.connect() as client:
        assert client.keys("*") == []


async def test_writes_of_many_at_once_keep_the_limit(redis: RedisServer) -> None:
    """Each command is one step of the server: no two see the same room."""
    settings = _settings(redis, answers_max=10)
    async with _opened(settings) as one, _opened(settings) as two:
        await asyncio.gather(
            *(
                _kept(store, f"{number}", f"t{number % 7}")
                for number in range(60)
                for store in (one, two)
            )
        )
    assert len(_answers(redis)) == 10
    assert _books_agree(redis)


async def test_a_server_that_is_not_there_is_down(redis: RedisServer) -> None:
    """At the first command, not when the router starts; and it says no address."""
    settings = _settings(redis).model_copy(update={"url": "unix:///nowhere/redis"})
    async with _opened(settings) as store:
        with pytest.raises(StoreDown, match="ConnectionError"):
            await store.find(_place("a"), now_s=NOW_S)
        with pytest.raises(StoreDown):
            await store.sweep(now_s=NOW_S)


async def test_a_wrong_password_is_down_and_is_not_told(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What the server says may quote what it was sent."""
    wrong = tmp_path_factory.mktemp("redis") / "password"
    wrong.write_text("guessed")
    settings = _settings(redis).model_copy(update={"password_file": wrong})
    async with _opened(settings) as store:
        with pytest.raises(StoreDown) as down:
            await store.find(_place("a"), now_s=NOW_S)
    assert "guessed" not in str(down.value)
    assert PASSWORD not in repr(store)


def test_a_missing_password_file_is_refused_by_name(redis: RedisServer) -> None:
    """When the router starts, not with the first request."""
    for field in ("password_file", "ca_file"):
        settings = _settings(redis).model_copy(
            update={field: redis.socket.with_name("missing")}
        )
        with pytest.raises(FieldInvalid) as refused:
            RedisStore.open(settings, tenant_share_max=1.0, lifetime_max_s=60.0)
        assert refused.value.metadata["field"] == f"cache.redis.{field}"
