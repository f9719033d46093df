"""One Redis server for these tests, emptied before each."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer, redis_binary, running_redis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Return a running server; skip only where Redis is not installed."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("Redis (redis-server) is not installed here.")
    with running_redis(binary) as running:
        yield running


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """Return the server, with nothing in it."""
    with redis_server.connect() as client:
        client.flushall()
    return redis_server
