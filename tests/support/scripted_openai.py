"""A server behind the OpenAI API whose every byte a test writes.

It speaks just enough HTTP/1.1: one request per connection, a body of known length in, a
chunked body out. What a client does to it, such as going away, it remembers.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Reply:
    """The response that a test writes, part by part."""

    writer: asyncio.StreamWriter
    gone: asyncio.Event

    async def begin(
        self, status: int = 200, *, kind: str = "text/event-stream", **headers: str
    ) -> None:
        """Send the head."""
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        shown = {"content-type": kind, "transfer-encoding": "chunked", **headers}
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in shown.items()]
        self.writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode())
        await self.writer.drain()

    async def send(self, content: bytes) -> None:
        """Send some of the body, as one chunk."""
        self.writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        await self.writer.drain()

    async def event(self, data: object) -> None:
        """Send an event; a string as it is, anything else as JSON."""
        text = data if isinstance(data, str) else json.dumps(data)
        await self.send(f"data: {text}\n\n".encode())

    async def say(self, text: str, **choice: object) -> None:
        """Send a piece of the answer."""
        await self.event({"choices": [{"delta": {"content": text}, **choice}]})

    async def finish(self, reason: str = "stop", *, usage: object = (3, 2)) -> None:
        """End the answer as OpenAI's servers do: reason, counts, [DONE], the end."""
        await self.event({"choices": [{"delta": {}, "finish_reason": reason}]})
        if isinstance(usage, tuple):
            prompt, completion = usage
            counts = {"prompt_tokens": prompt, "completion_tokens": completion}
            await self.event({"choices": [], "usage": counts})
        await self.event("[DONE]")
        await self.end()

    async def end(self) -> None:
        """End the body in order."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def refuse(self, status: int, content: object = None, **headers: str) -> None:
        """Answer with a status and JSON."""
        await self.begin(status, kind="application/json", **headers)
        await self.send(json.dumps(content).encode())
        await self.end()


Script = Callable[[Asked, Reply], Awaitable[None]]


@dataclass(slots=True)
class ScriptedServer:
    """Plays `script` to each request; `url` is what a node's settings name."""

    script: Script
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    left: int = 0
    _served: set["asyncio.Task[Any]"] = field(default_factory=set)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection's one request."""
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        task.add_done_callback(self._served.discard)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left += 1
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked = await _read(reader)
        self.asked.append(asked)
        reply = Reply(writer, asyncio.Event())
        watching = asyncio.create_task(self._watch(reader, reply))
        try:
            await self.script(asked, reply)
        finally:
            watching.cancel()

    async def _watch(self, reader: asyncio.StreamReader, reply: Reply) -> None:
        """Notice that the client went away before the script's end."""
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        self.left += 1
        reply.gone.set()

    async def stop(self) -> None:
        """Cut what still runs."""
        for task in list(self._served):
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    method, path, _ = first.split(" ")
    fields = (one.partition(": ") for one in rest)
    headers = {name.lower(): value for name, _, value in fields}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, json.loads(content) if content else None)


@contextlib.asynccontextmanager
async def scripted_server(script: Script) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server on a free port until left."""
    scripted = ScriptedServer(script)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    scripted.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield scripted
    finally:
        server.close()
        await scripted.stop()
        # Transports close one turn of the loop after they were told to.
        await asyncio.sleep(0)
