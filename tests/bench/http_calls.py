"""Calls of an OpenAI server as a load makes them: kept connections, little parsing.

Decides that an answer is complete and of the right kind. Refuses to know who answers.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from tests.bench.closed_loop import Call
from tests.bench.mock_upstream import MODEL

TIMEOUT_S: Final = 30.0
_HEAD_END: Final = b"\r\n\r\n"
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class WrongAnswer(Exception):
    """The server refused, or its answer is not what was asked for."""


@dataclass
class HttpTarget:
    """An address, and the connections to it that nobody uses now."""

    address: str
    idle: deque[_Connection] = field(default_factory=deque)

    def unary(self) -> Call:
        """Return a call that takes a short answer and returns its time."""
        request = self._request(stream=False)

        async def call() -> float:
            begin_s = time.perf_counter()
            async with asyncio.timeout(TIMEOUT_S), self._exchange(request) as reader:
                head = await _head(reader)
                body = await reader.readexactly(_length(head))
                if b"a short answer." not in body:
                    raise WrongAnswer(body[:200])
            return time.perf_counter() - begin_s

        return call

    def stream(self) -> Call:
        """Return a call that reads a whole stream and returns the first chunk's time.

        The first chunk is the first one with text, as with the router's streams.
        """
        request = self._request(stream=True)

        async def call() -> float:
            begin_s, first_s = time.perf_counter(), 0.0
            tail = b""
            async with asyncio.timeout(TIMEOUT_S), self._exchange(request) as reader:
                await _head(reader)
                while not tail.endswith(b"0\r\n\r\n"):
                    some = await reader.read(65_536)
                    if not some:
                        raise WrongAnswer("The stream was cut.")
                    tail = (tail + some)[-4096:] if first_s else tail + some
                    if not first_s and b" word" in tail:
                        first_s = time.perf_counter() - begin_s
                if not first_s or b"[DONE]" not in tail:
                    raise WrongAnswer(tail[-200:])
            return first_s

        return call

    def close(self) -> None:
        """Close every connection."""
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()

    async def is_there(self, path: str) -> bool:
        """Whether a GET of `path` is answered with success."""
        try:
            async with self._exchange(self._get(path)) as reader:
                head = await _head(reader)
                await reader.readexactly(_length(head))
        except (OSError, asyncio.IncompleteReadError, WrongAnswer):
            return False
        return True

    @asynccontextmanager
    async def _exchange(self, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
        """Send a request; the connection is kept if its answer was read to its end."""
        reader, writer = self._kept() or await self._connect()
        try:
            writer.write(request)
            yield reader
        except BaseException:
            writer.close()
            raise
        self.idle.append((reader, writer))

    def _kept(self) -> _Connection | None:
        """Return an idle connection that the server has not closed meanwhile."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> _Connection:
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    def _get(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode()

    def _request(self, *, stream: bool) -> bytes:
        body = json.dumps(
            {
                "model": MODEL,
                "messages": [
                    {"role": "user", "content": "What is metformin used for?"}
                ],
                "max_tokens": 64,
                "temperature": 0,
                "stream": stream,
            }
        ).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\n"
            f"Host: {self.address}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer none\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _head(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(_HEAD_END)).lower()
    if not head.startswith(b"http/1.1 200"):
        raise WrongAnswer(head[:200])
    return head


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"content-length:")
    if not found:
        raise WrongAnswer("No length.")
    return int(rest.partition(b"\r\n")[0])
