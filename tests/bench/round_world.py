"""A federation to measure: a coordinator's process, and processes of members.

All are the product's own, over gRPC and mTLS on one machine, their stores files. Only
the operator, who opens rounds and reads the figures, runs in the process that measures.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc as pb_grpc
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from tests.bench.bench_identities import DOMAIN
from tests.bench.pinning import process, stop
from tests.bench.round_plan import Plan, coordinator_toml

ROUND_TIMEOUT_S = 3_600.0
START_TIMEOUT_S = 600.0
POLL_S = 0.5
ENDED = (pb.Round.STATE_PUBLISHED, pb.Round.STATE_REJECTED, pb.Round.STATE_ABORTED)


@dataclass(frozen=True, slots=True)
class RoundWorld:
    """An operator's door to the coordinator."""

    stub: pb_grpc.AggregationServiceStub

    async def run_round(self, request_id: str, *, members: int = 4) -> pb.Round:
        """Open a round and return it published; raise RuntimeError otherwise."""
        created = await self.stub.CreateRound(
            pb.CreateRoundRequest(request_id=request_id, members_expected=members),
            timeout=ROUND_TIMEOUT_S,
        )
        request = pb.WatchRoundRequest(name=created.round.name)
        call = self.stub.WatchRound(request, timeout=ROUND_TIMEOUT_S)
        try:
            async for response in call:
                if response.round.state in ENDED:
                    return _published(response.round)
        finally:
            call.cancel()
        raise RuntimeError("The watch ended before the round did.")


@dataclass(frozen=True, slots=True)
class MemberFigures:
    """What all members' processes say of themselves: sums, but for the vault."""

    sent: int
    received: int
    cpu_s: float
    rss_bytes: int
    vault_bytes_max: int


@dataclass(frozen=True, slots=True)
class MeasuredWorld:
    """A running federation."""

    plan: Plan
    operator: RoundWorld
    coordinator: psutil.Process
    workers: Sequence[subprocess.Popen[bytes]]

    async def run_round(self, request_id: str) -> tuple[float, pb.Round]:
        """Return the seconds from its opening to its priors, and the round."""
        begin_s = time.perf_counter()
        round_ = asyncio.create_task(
            self.operator.run_round(request_id, members=self.plan.size)
        )
        watch = asyncio.create_task(self._until_one_ends())
        try:
            await asyncio.wait({round_, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                await watch
            return time.perf_counter() - begin_s, await round_
        finally:
            round_.cancel()
            watch.cancel()

    async def _until_one_ends(self) -> None:
        """Raise RuntimeError once a process of members has ended."""
        while all(worker.poll() is None for worker in self.workers):
            await asyncio.sleep(POLL_S)
        raise RuntimeError("A process of members has ended; its log says why.")

    async def member_figures(self) -> MemberFigures:
        """Ask every worker."""
        answers = [await asyncio.to_thread(_ask, worker) for worker in self.workers]
        return MemberFigures(
            sent=int(sum(one["sent"] for one in answers)),
            received=int(sum(one["received"] for one in answers)),
            cpu_s=sum(one["cpu_s"] for one in answers),
            rss_bytes=int(sum(one["rss_bytes"] for one in answers)),
            vault_bytes_max=int(max(one["vault_bytes_max"] for one in answers)),
        )

    def coordinator_cpu_s(self) -> float:
        """Return the processor time that the coordinator has used."""
        times = self.coordinator.cpu_times()
        return float(times.user + times.system)

    def coordinator_rss_bytes(self) -> int:
        """Return the coordinator's resident set."""
        return int(self.coordinator.memory_info().rss)

    def coordinator_rss_peak_bytes(self) -> int:
        """Return the largest since `forget_peak`, as the kernel keeps it (VmHWM)."""
        status = Path(f"/proc/{self.coordinator.pid}/status").read_text("utf-8")
        line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> None:
        """Let the kernel count the coordinator's largest resident set anew."""
        Path(f"/proc/{self.coordinator.pid}/clear_refs").write_text("5", "utf-8")


@asynccontextmanager
async def measured_world(plan: Plan) -> AsyncIterator[MeasuredWorld]:
    """Run coordinator and members until left."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(plan.issue)
    address = _free_address()
    async with AsyncExitStack() as stack:
        processes = stack.enter_context(ExitStack())
        coordinator = await _coordinator(processes, plan, address)
        workers = [
            processes.enter_context(_worker(plan, number, address))
            for number in range(plan.workers)
        ]
        for worker in workers:
            async with asyncio.timeout(START_TIMEOUT_S):
                await asyncio.to_thread(_answer, worker)
        operator = Channels(
            plan.identities.tls(Role.OPERATOR, "op"), trust_domain=DOMAIN
        )
        channel = await stack.enter_async_context(
            operator.open(address, role=Role.COORDINATOR)
        )
        yield MeasuredWorld(
            plan,
            RoundWorld(pb_grpc.AggregationServiceStub(channel)),
            psutil.Process(coordinator.pid),
            workers,
        )


async def _coordinator(
    processes: ExitStack, plan: Plan, address: str
) -> subprocess.Popen[bytes]:
    configuration, ready = plan.folder / "coordinator.toml", plan.folder / "ready"
    configuration.write_text(coordinator_toml(plan, address=address, ready=ready))
    started = processes.enter_context(
        process(
            (sys.executable, "-m", "coordinator", "--config", str(configuration)),
            log=plan.folder / "coordinator.log",
            core=None,
        )
    )
    async with asyncio.timeout(START_TIMEOUT_S):
        while not ready.exists():
            if started.poll() is not None:
                log = (plan.folder / "coordinator.log").read_text("utf-8")
                raise RuntimeError(f"The coordinator did not start:\n{log[-2000:]}")
            await asyncio.sleep(0.05)
    return started


@contextmanager
def _worker(plan: Plan, number: int, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of members; its errors go to a file, its figures come by a pipe."""
    module = ("-m", "tests.bench.round_members")
    arguments = (str(plan.save()), str(number), address)
    with (plan.folder / f"members-{number}.log").open("wb") as log:
        started = subprocess.Popen(
            (sys.executable, *module, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            yield started
        finally:
            stop(started)


def _ask(worker: subprocess.Popen[bytes]) -> dict[str, float]:
    assert worker.stdin is not None
    worker.stdin.write(b"\n")
    worker.stdin.flush()
    return _answer(worker)


def _answer(worker: subprocess.Popen[bytes]) -> dict[str, float]:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(
            f"A process of members has ended with status {worker.wait()}; "
            "its log lies beside the coordinator's."
        )
    answer: dict[str, float] = json.loads(line)
    return answer


def _published(ended: pb.Round) -> pb.Round:
    if ended.state != pb.Round.STATE_PUBLISHED:
        raise RuntimeError(f"The round was not published: {ended.end_cause}")
    return ended


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"127.0.0.1:{one.getsockname()[1]}"
