"""Load in a closed loop: so many callers, each with one call at a time.

Decides what is timed. Refuses to know who answers: every target gets the same bytes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import numpy as np

from federated_router.api.v1 import inference_pb2 as pb
from tests.bench.answering_node import MODEL, SERVICE

CALL_TIMEOUT_S = 30.0
Call = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Load:
    """What one interval of load saw; latencies are of calls that ended well.

    On a crowded machine a lease may lapse: such a call is counted as failed.
    """

    seconds: float
    latencies_ms: tuple[float, ...]
    failed: int

    @property
    def calls(self) -> int:
        """Return how many calls ended well."""
        return len(self.latencies_ms)

    @property
    def per_second(self) -> float:
        """Return calls per second."""
        return self.calls / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latencies."""
        return float(np.percentile(self.latencies_ms, percent))


def request_bytes() -> bytes:
    """Return a short request; `CompleteRequest` and `GenerateRequest` are alike."""
    question = pb.Message(role=pb.ROLE_USER, content="What is metformin used for?")
    return pb.CompleteRequest(
        generation=pb.Generation(
            request_id="bench-1",
            model=MODEL,
            messages=[question],
            sampling=pb.Sampling(tokens_max=64, temperature=0.0),
        )
    ).SerializeToString()


def unary(channel: grpc.aio.Channel) -> Call:
    """Return a call that takes a short answer and returns its time."""
    complete, request = channel.unary_unary(f"/{SERVICE}/Complete"), request_bytes()

    async def call() -> float:
        begin_s = time.perf_counter()
        await complete(request, timeout=CALL_TIMEOUT_S)
        return time.perf_counter() - begin_s

    return call


def stream(channel: grpc.aio.Channel) -> Call:
    """Return a call that reads a whole stream and returns the first chunk's time."""
    generate, request = channel.unary_stream(f"/{SERVICE}/Generate"), request_bytes()

    async def call() -> float:
        begin_s, first_chunk_s, events = time.perf_counter(), 0.0, 0
        async for _ in generate(request, timeout=CALL_TIMEOUT_S):
            events += 1
            if events == 2:  # The first event only says which node was chosen.
                first_chunk_s = time.perf_counter() - begin_s
        return first_chunk_s

    return call


async def run(call: Call, *, callers: int, duration_s: float) -> Load:
    """Keep `callers` calls going for a while; every one that began is counted."""
    latencies_s: list[float] = []
    failures: list[grpc.StatusCode] = []
    begin_s = time.perf_counter()
    end_s = begin_s + duration_s

    async def caller() -> None:
        while time.perf_counter() < end_s:
            try:
                latencies_s.append(await call())
            except grpc.aio.AioRpcError as error:
                failures.append(error.code())

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    if not latencies_s:
        raise RuntimeError(f"No call ended well: {set(failures)}")
    return Load(
        seconds=time.perf_counter() - begin_s,
        latencies_ms=tuple(latency_s * 1000 for latency_s in latencies_s),
        failed=len(failures),
    )
