"""A TCP proxy that holds every byte back for a while, and loses none.

What arrives together leaves together, so that only the delay is added and no limit on
the rate. The kernel of these machines has no netem.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 1 << 16


@asynccontextmanager
async def delayed(address: str, *, one_way_s: float) -> AsyncIterator[str]:
    """Yield an address that leads to `address` with a delay in each direction."""
    host, _, port = address.rpartition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(_pass(source, sink, one_way_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, one_way_s: float
) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while chunk := await source.read(_CHUNK_BYTES):
            # Timers of equal delay fire in order.
            loop.call_later(one_way_s, _write, sink, chunk)
    loop.call_later(one_way_s, sink.close)


def _write(sink: asyncio.StreamWriter, chunk: bytes) -> None:
    if not sink.is_closing():
        sink.write(chunk)
