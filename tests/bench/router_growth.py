"""Whether the router grows: its memory before and after 100,000 requests.

No request is like another, so that whatever is kept by request or by prompt fills up.
Half are whole answers, half are streams of 64 tokens, in turns. The first requests are
not counted: they fill what has a limit and then stays as it is, above all the requests
whose outcome their callers may still report (`choice.outcomes_max`, 10,000). Growth is
told of the whole and of its second half, since a cache that still fills grows less and
less, and a leak does not. `BENCH_GROWTH_REQUESTS` makes it shorter, and the figures
then say of how many they are.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

import grpc
import uvloop

from federated_router.api.v1 import inference_pb2 as pb
from tests.bench.answering_node import MODEL, SERVICE
from tests.bench.closed_loop import CALL_TIMEOUT_S
from tests.bench.figures import Sheet
from tests.bench.router_world import router_world

REQUESTS = int(os.environ.get("BENCH_GROWTH_REQUESTS", "100000"))
WARM_UP = 12_000
PARTS = 10
CALLERS = 32
OK = grpc.StatusCode.OK.name
FAILED_MAX = 0.01
MEBIBYTE = 1 << 20
Call = Callable[[bytes], Awaitable[None]]


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; raises where more than one in a hundred calls failed."""
    uvloop.run(_measure(sheet, folder))


async def _measure(sheet: Sheet, folder: Path) -> None:
    async with router_world(folder) as world:
        process = world.routed.process
        call, requests = _in_turns(world.routed.channel), _requests()
        ended = Counter[str]()
        await _calls(call, requests, min(WARM_UP, REQUESTS), ended)
        ended.clear()
        sizes = [process.memory_info().rss]
        for _ in range(PARTS):
            await _calls(call, requests, REQUESTS // PARTS, ended)
            sizes.append(process.memory_info().rss)
    failed = ended.total() - ended[OK]
    if failed > FAILED_MAX * ended.total():
        raise RuntimeError(f"Too many calls failed: {dict(ended)}")
    name = f"{REQUESTS // 1000}k"
    grown, late = sizes[-1] - sizes[0], sizes[-1] - sizes[PARTS // 2]
    sheet.record(f"router.growth_mb.{name}", grown / MEBIBYTE, "MiB")
    sheet.record(f"router.growth_mb.{name}.second_half", late / MEBIBYTE, "MiB")
    sheet.record("router.memory_mb.before_growth", sizes[0] / MEBIBYTE, "MiB")
    for code, number in ended.items():
        sheet.record(f"router.growth_calls.{name}.{code.lower()}", number, "calls")


def _in_turns(channel: grpc.aio.Channel) -> Call:
    """Return a call that takes a whole answer or reads a stream, in turns."""
    complete = channel.unary_unary(f"/{SERVICE}/Complete")
    generate = channel.unary_stream(f"/{SERVICE}/Generate")
    numbers = count()

    async def call(request: bytes) -> None:
        if next(numbers) % 2:
            await complete(request, timeout=CALL_TIMEOUT_S)
            return
        async for _ in generate(request, timeout=CALL_TIMEOUT_S):
            pass

    return call


def _requests() -> Iterator[bytes]:
    """Return requests without end, each with its own id and question."""
    sampling = pb.Sampling(tokens_max=64, temperature=0.0)
    for number in count():
        text = f"What are {number} tablets of metformin used for?"
        question = pb.Message(role=pb.ROLE_USER, content=text)
        generation = pb.Generation(
            request_id=f"soak-{number}",
            model=MODEL,
            messages=[question],
            sampling=sampling,
        )
        yield pb.CompleteRequest(generation=generation).SerializeToString()


async def _calls(
    call: Call, requests: Iterator[bytes], number: int, ended: Counter[str]
) -> None:
    """Make so many calls, a number of them at once; count how they ended."""
    left = iter(range(number))

    async def caller() -> None:
        for _ in left:
            try:
                await call(next(requests))
            except grpc.aio.AioRpcError as error:
                ended[error.code().name] += 1
            else:
                ended[OK] += 1

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())
