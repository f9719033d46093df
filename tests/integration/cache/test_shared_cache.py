"""Two routers' caches over one Redis server, and what happens when it goes away."""

import asyncio
import signal
from pathlib import Path

from federated_router.cache.answers import AnswerCache
from federated_router.cache.settings import CacheSettings, MemorySettings, RedisSettings
from federated_router.cache.wiring import answer_cache
from federated_router.kit.clock import SystemClock
from tests.support.cache_world import PUBLIC, answer, found, key_of, question
from tests.support.redis_server import RedisServer


async def _cache(server: RedisServer, key_file: Path) -> AnswerCache:
    settings = CacheSettings(
        memory=MemorySettings(),
        redis=RedisSettings(
            url=server.url, password_file=server.password_file, timeout_s=2.0
        ),
        key_file=key_file,
    )
    return await answer_cache(settings, SystemClock())


async def test_routers_with_one_key_share_answers(
    redis: RedisServer, tmp_path: Path
) -> None:
    """A third one, with a key of its own, finds nothing."""
    async with await _cache(redis, tmp_path / "key") as one:
        await one.keep(key_of(one, question()), answer(), PUBLIC)
    async with (
        await _cache(redis, tmp_path / "key") as two,
        await _cache(redis, tmp_path / "other") as stranger,
    ):
        assert await found(two, question()) is not None
        assert await found(two, question()) is not None
        assert two.activity().hits == {"memory": 1, "redis": 1}
        assert await found(stranger, question()) is None


async def test_the_server_holds_no_word_of_anybody(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Neither in a name nor in a value of any kind."""
    async with await _cache(redis, tmp_path / "key") as one:
        await one.keep(key_of(one, question()), answer(), PUBLIC)
    with redis.connect() as client:
        dumps = [(name, client.dump(name)) for name in client.keys("*")]
    assert dumps
    for name, value in dumps:
        for word in (b"metformin", b"diabetes", b"clinic"):
            assert word not in name + (value or b"")


async def test_a_server_that_freezes_costs_one_wait_and_no_request(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The second request is a miss at once; memory serves on."""
    one = await _cache(redis, tmp_path / "key")
    await one.keep(key_of(one, question("near")), answer(), PUBLIC)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        assert await found(one, question()) is None
        begin_s = asyncio.get_running_loop().time()
        assert await found(one, question()) is None
        assert asyncio.get_running_loop().time() - begin_s < 1.0
        assert await found(one, question("near")) is not None
    finally:
        redis.process.send_signal(signal.SIGCONT)
    assert one.activity().failures["redis"] >= 2
    await one.__aexit__(None, None, None)
