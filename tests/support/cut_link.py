"""A link to a node that a test delays and cuts without closing: nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.processes import Processes

_CHUNK_BYTES = 1 << 16


class Link:
    """Passes bytes on after `one_way_s`; once `deaf`, it takes them and passes none."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._far = host, int(port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sinks: list[asyncio.StreamWriter] = []
        self.one_way_s = 0.0
        self.deaf = False

    async def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Connect both ends."""
        far_reader, far_writer = await asyncio.open_connection(*self._far)
        self._sinks += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sink in self._sinks:
            sink.transport.abort()
        waits = (sink.wait_closed() for sink in self._sinks)
        await asyncio.gather(*waits, return_exceptions=True)

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while chunk := await source.read(_CHUNK_BYTES):
                loop.call_later(self.one_way_s, self._write, sink, chunk)
        if not self.deaf:
            loop.call_later(self.one_way_s, sink.close)

    def _write(self, sink: asyncio.StreamWriter, chunk: bytes) -> None:
        if not self.deaf and not sink.is_closing():
            sink.write(chunk)


@asynccontextmanager
async def linked(federation: Processes, node: str) -> AsyncIterator[Link]:
    """Restart a node so that the router reaches it over a link; undo it at the end."""
    link = Link(federation.address(node))
    server = await asyncio.start_server(link.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = federation.layout.config(node)
    config.write_text(
        config.read_text().replace(
            "[registration]", f'[registration]\nadvertised_address = "127.0.0.1:{port}"'
        )
    )
    federation.kill(node)
    await federation.heal()
    try:
        yield link
    finally:
        federation.configure(node)
        federation.kill(node)
        server.close()
        await link.close()
