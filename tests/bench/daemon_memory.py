"""Resident memory of each daemon of a local federation: idle, and under load.

Load is public requests from many callers at once, then one encrypted round. Figures
are the resident set in MB (10^6 bytes), libraries shared with others included; under
load the highest that was seen.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psutil
import uvloop

from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.cli.connection import Federation
from federated_router.cli.local_federation import LocalFederation, stop
from federated_router.cli.models import ensure_models
from federated_router.kit.identity import Role
from tests.bench.figures import Sheet
from tests.bench.round_world import RoundWorld

MODELS = Path("build/models")
NODES = 3
SETTLE_S = 3.0
LOAD_S = 12.0
SAMPLE_S = 0.2
CALLERS = 16
CALL_TIMEOUT_S = 60.0
MEGABYTE = 1e6


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    models = ensure_models(MODELS, print)
    local = LocalFederation.of(
        folder / "local", models=models, nodes=NODES, say=lambda _: None
    )
    local.prepare()
    try:
        local.start()
        known = local.write_description(folder / "up.json")
        processes = {
            name: psutil.Process(process.pid)
            for name, process in local.processes.items()
        }
        uvloop.run(_measure(sheet, known, processes))
    finally:
        stop(local.layout)


async def _measure(
    sheet: Sheet, known: Federation, processes: Mapping[str, psutil.Process]
) -> None:
    await asyncio.sleep(SETTLE_S)
    idle = {name: _resident_mb(process) for name, process in processes.items()}
    async with _highest(processes) as loaded:
        await _load(known)
        await _round(known)
    for name, value in idle.items():
        sheet.record(f"memory.rss_mb.{name}.idle", value, "MB")
        sheet.record(f"memory.rss_mb.{name}.loaded", loaded[name], "MB")


def _resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MEGABYTE


@asynccontextmanager
async def _highest(
    processes: Mapping[str, psutil.Process],
) -> AsyncIterator[dict[str, float]]:
    """Watch while inside; the yielded figures are the highest seen so far."""
    highest = {name: _resident_mb(process) for name, process in processes.items()}

    async def watch() -> None:
        while True:
            for name, process in processes.items():
                highest[name] = max(highest[name], _resident_mb(process))
            await asyncio.sleep(SAMPLE_S)

    watching = asyncio.create_task(watch())
    try:
        yield highest
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _load(known: Federation) -> None:
    """Send public requests for a while; raise RuntimeError if none succeeded."""
    numbers = itertools.count()
    answered = 0
    end_s = asyncio.get_running_loop().time() + LOAD_S
    async with known.channel(Role.ROUTER, as_client=known.client) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)

        async def caller() -> None:
            nonlocal answered
            while asyncio.get_running_loop().time() < end_s:
                try:
                    await stub.Complete(_request(next(numbers)), timeout=CALL_TIMEOUT_S)
                except grpc.aio.AioRpcError:
                    continue
                answered += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(caller())
    if not answered:
        raise RuntimeError("No request of the load was answered.")


def _request(number: int) -> pb.CompleteRequest:
    question = pb.Message(role=pb.ROLE_USER, content="What is metformin used for?")
    return pb.CompleteRequest(
        generation=pb.Generation(
            request_id=f"memory-{number}",
            model="models/auto",
            messages=[question],
            sampling=pb.Sampling(tokens_max=48),
        )
    )


async def _round(known: Federation) -> None:
    """Run one encrypted round of every node and the router."""
    async with known.channel(Role.COORDINATOR) as channel:
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        await RoundWorld(stub).run_round("memory")
