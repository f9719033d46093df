"""The mocked upstream and the load upon it: what is timed is a complete answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.bench import mock_upstream
from tests.bench.http_calls import HttpTarget, WrongAnswer
from tests.bench.timing import Timing


@asynccontextmanager
async def _upstream(timing: Timing) -> AsyncIterator[HttpTarget]:
    handler = partial(mock_upstream.answer, timing=timing)
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    target = HttpTarget(f"{host}:{port}")
    try:
        yield target
    finally:
        target.close()
        server.close()
        while len(asyncio.all_tasks()) > 1:  # Handlers see that nobody is there.
            await asyncio.sleep(0.001)


async def test_answers_take_as_long_as_they_are_told() -> None:
    """A proxy that added nothing would show just this."""
    async with _upstream(Timing(first_ms=20.0, token_ms=1.0)) as target:
        assert await target.unary()() >= 0.02
        begin_s = asyncio.get_running_loop().time()
        assert await target.stream()() >= 0.02
        assert asyncio.get_running_loop().time() - begin_s >= 0.02 + 0.063


async def test_connections_are_kept_between_calls() -> None:
    """Else the load would measure connecting."""
    async with _upstream(Timing()) as target:
        for _ in range(5):
            await target.unary()()
            await target.stream()()
        assert len(target.idle) == 1


async def test_a_cut_stream_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter answer would be a faster one."""
    monkeypatch.setattr(mock_upstream, "STREAM_END", b"0\r\n\r\n")
    async with _upstream(Timing()) as target:
        with pytest.raises(WrongAnswer):
            await target.stream()()


async def test_nobody_there_is_said_so() -> None:
    """Waiting for a start asks again and again."""
    assert not await HttpTarget("127.0.0.1:9").is_there("/")
