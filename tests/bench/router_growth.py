"""Whether the router grows: its memory before and after 100,000 requests.

Half are whole answers, half are streams of 64 tokens; the first requests are not
counted, because they fill pools that stay as they are. `BENCH_GROWTH_REQUESTS` makes it
shorter, and the figure then says of how many it is.
"""

import asyncio
import os
from pathlib import Path

import uvloop

from tests.bench import closed_loop
from tests.bench.closed_loop import Call
from tests.bench.figures import Sheet
from tests.bench.router_world import router_world

REQUESTS = int(os.environ.get("BENCH_GROWTH_REQUESTS", "100000"))
WARM_UP = 5_000
CALLERS = 32
MEBIBYTE = 1 << 20


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    uvloop.run(_measure(sheet, folder))


async def _measure(sheet: Sheet, folder: Path) -> None:
    async with router_world(folder) as world:
        channel, process = world.routed.channel, world.routed.process
        calls = (closed_loop.unary(channel), closed_loop.stream(channel))
        for call in calls:
            await _calls(call, min(WARM_UP, REQUESTS) // 2)
        before = process.memory_info().rss
        for call in calls:
            await _calls(call, REQUESTS // 2)
        grown = process.memory_info().rss - before
    name = f"router.growth_mb.{REQUESTS // 1000}k"
    sheet.record(name, grown / MEBIBYTE, "MiB")
    sheet.record("router.memory_mb.before_growth", before / MEBIBYTE, "MiB")


async def _calls(call: Call, count: int) -> None:
    """Make so many calls, a number of them at once."""
    left = iter(range(count))

    async def caller() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
