"""A gRPC channel without a network: the product's own stubs call through it.

Decides how the fate of a message (`link`) looks to a caller: lost requests and answers
are UNAVAILABLE, late ones exceed the deadline, a dead coordinator breaks every stream.
Refuses to know services and messages: bytes go in, bytes come out.
"""

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Sequence,
)
from typing import Any, Final, Generic, TypeVar, cast

import grpc

from coordinator.simulation.link import Link
from coordinator.simulation.server import MemoryServer
from federated_router.federation.wire import BODY_WANTED
from federated_router.kit.errors import DeadlineExceeded, Unavailable
from federated_router.kit.identity import Identity

Message = TypeVar("Message")
UNREAD_MAX: Final = 4
"""Messages of a stream that wait for their reader; then the writer waits."""


class Endpoint:
    """Where the coordinator is reached; None while it is down."""

    server: MemoryServer | None = None

    def reached(self) -> MemoryServer:
        """Return the server; raise Unavailable while there is none."""
        if self.server is None:
            raise Unavailable("The simulated coordinator is down.")
        return self.server


class MemoryChannel:
    """A `grpc.aio.Channel` of one caller; `as_channel` says so to the type checker."""

    def __init__(self, endpoint: Endpoint, *, caller: Identity, link: Link) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._link = link

    def as_channel(self) -> grpc.aio.Channel:
        """Return the channel as stubs take it."""
        return cast("grpc.aio.Channel", self)

    def unary_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Message],
        **_: object,
    ) -> Callable[..., Awaitable[Message]]:
        """Return a call with one request and one answer."""

        async def call(request: object, *, timeout: float | None = None) -> Message:  # noqa: ASYNC109
            parts = [request_serializer(request)]
            return response_deserializer(
                await self._exchange(path, parts, timeout_s=timeout, streamed=False)
            )

        return call

    def stream_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Message],
        **_: object,
    ) -> Callable[..., "MemoryUpload[Message]"]:
        """Return a call with many requests and one answer."""

        async def exchange(
            requests: AsyncIterator[object], timeout_s: float | None
        ) -> Message:
            parts = [request_serializer(request) async for request in requests]
            return response_deserializer(
                await self._exchange(path, parts, timeout_s=timeout_s, streamed=True)
            )

        def call(
            requests: AsyncIterator[object], *, timeout: float | None = None
        ) -> MemoryUpload[Message]:
            return MemoryUpload(exchange(requests, timeout))

        return call

    def unary_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Message],
        **_: object,
    ) -> Callable[..., "MemoryStream[Message]"]:
        """Return a call with one request and many answers."""

        def call(
            request: object, *, timeout: float | None = None
        ) -> MemoryStream[Message]:
            return MemoryStream(
                endpoint=self._endpoint,
                link=self._link,
                begin=lambda server, put: server.stream(
                    path, self._caller, request_serializer(request), put
                ),
                read_message=response_deserializer,
                timeout_s=timeout,
            )

        return call

    async def _exchange(
        self,
        path: str,
        parts: Sequence[bytes],
        *,
        timeout_s: float | None,
        streamed: bool,
    ) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._there_and_back(path, parts, streamed=streamed)
        except TimeoutError:
            raise DeadlineExceeded("The simulated call took too long.") from None

    async def _there_and_back(
        self, path: str, parts: Sequence[bytes], *, streamed: bool
    ) -> bytes:
        size_bytes = sum(map(len, parts))
        self._link.traffic.sent_bytes += size_bytes
        await self._link.travel(size_bytes)
        if self._link.loses_request():
            raise Unavailable("The simulated network lost the request.")
        self._repeat_later(path, parts, streamed=streamed)
        server = self._endpoint.reached()
        working = server.answer(path, self._caller, parts, streamed=streamed)
        response = await self._heard(working)
        await self._link.travel(len(response))
        if self._link.loses_response():
            raise Unavailable("The simulated network lost the answer.")
        self._link.traffic.received_bytes += len(response)
        return response

    async def _heard(self, working: "asyncio.Task[bytes]") -> bytes:
        """Return the answer; a caller that gives up may or may not be noticed."""
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            if self._link.tells_hang_up():
                working.cancel()
            raise
        if working.cancelled():
            raise Unavailable("The simulated coordinator died.")
        return working.result()

    def _repeat_later(
        self, path: str, parts: Sequence[bytes], *, streamed: bool
    ) -> None:
        after_s = self._link.repeats_after_s()
        if after_s is None:
            return

        def repeat() -> None:
            server = self._endpoint.server
            if server is not None and server.alive:
                server.answer(path, self._caller, parts, streamed=streamed)

        asyncio.get_running_loop().call_later(after_s, repeat)


class MemoryUpload(Generic[Message]):
    """A call with many requests, which travel together; await it for its answer."""

    def __init__(self, answer: Coroutine[object, None, Message]) -> None:
        self._answer = answer

    def __await__(self) -> Generator[object, None, Message]:
        """Send everything and return the answer."""
        return self._answer.__await__()

    async def initial_metadata(self) -> tuple[tuple[str, str]]:
        """Return at once what a coordinator sends when it wants the body."""
        return (BODY_WANTED,)


class MemoryStream(Generic[Message]):
    """A call with many answers: `read` until EOF, `cancel` to end it early."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        link: Link,
        begin: Callable[
            [MemoryServer, Callable[[bytes], Awaitable[None]]], "asyncio.Task[None]"
        ],
        read_message: Callable[[bytes], Message],
        timeout_s: float | None,
    ) -> None:
        self._endpoint = endpoint
        self._link = link
        self._begin = begin
        self._read_message = read_message
        now_s = asyncio.get_running_loop().time()
        self._end_s = None if timeout_s is None else now_s + timeout_s
        self._unread: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def read(self) -> object:
        """Return the next message, or EOF."""
        try:
            async with asyncio.timeout_at(self._end_s):
                return await self._next()
        except TimeoutError:
            if self._end_s is None or asyncio.get_running_loop().time() < self._end_s:
                raise
            raise DeadlineExceeded("The simulated stream took too long.") from None

    def cancel(self) -> None:
        """End the call; the coordinator notices."""
        if self._writer is not None:
            self._writer.cancel()

    async def _next(self) -> object:
        writer = await self._open()
        while not self._unread:
            if writer.done():
                return _ended(writer)
            self._changed.clear()
            await self._changed.wait()
        content = self._unread.popleft()
        self._changed.set()
        await self._link.travel(len(content))
        if self._link.breaks_stream():
            self.cancel()
            raise Unavailable("The simulated network broke the stream.")
        self._link.traffic.received_bytes += len(content)
        return self._read_message(content)

    async def _open(self) -> "asyncio.Task[None]":
        if self._writer is None:
            await self._link.travel(0)
            if self._link.loses_request():
                raise Unavailable("The simulated network lost the request.")
            self._writer = self._begin(self._endpoint.reached(), self._put)
            self._writer.add_done_callback(lambda _: self._changed.set())
        return self._writer

    async def _put(self, content: bytes) -> None:
        self._unread.append(content)
        self._changed.set()
        while len(self._unread) >= UNREAD_MAX:
            self._changed.clear()
            await self._changed.wait()


def _ended(writer: "asyncio.Task[None]") -> object:
    """Return EOF, or raise why the stream ended."""
    if writer.cancelled():
        raise Unavailable("The simulated coordinator died.")
    writer.result()
    return grpc.aio.EOF
