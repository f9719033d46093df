"""Runs a daemon inside the test's event loop, and stops it in an orderly way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from federated_router.kit.daemon import Daemon


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator[Daemon]:
    """Yield the daemon once it serves; raise what ended it."""
    task = asyncio.create_task(daemon.run())
    try:
        while not daemon.bound.health.serving:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield daemon
    finally:
        daemon.stop()
        await task


async def eventually(look: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Return once `look()` is true; fail after `within_s`."""
    async with asyncio.timeout(within_s):
        while not look():
            await asyncio.sleep(0.01)
