"""Synthesis jobs whose command, router or node dies: one charge, no batch twice.

Whatever is killed, and whenever, the data set pays for one text, the tokens that the
job says are those that the ledger holds, and what was stored comes out.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.api.v1 import synthesis_pb2_grpc
from tests.support.processes import (
    DATASET,
    MODEL,
    SHORT_POLICY,
    SLOTS,
    Calls,
    Processes,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
RECORDS = 10 * SLOTS - 1


@dataclass(slots=True)
class Desk:
    """A folder with records, and the command that writes texts from them."""

    directory: Path
    federation: Processes
    policy: str = SHORT_POLICY
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write_records(self) -> None:
        """Write one record a line."""
        lines = (
            json.dumps({"id": f"note-{number}", "text": f"private note {number}"})
            for number in range(RECORDS)
        )
        (self.directory / "notes.jsonl").write_text("\n".join(lines) + "\n")
        up = self.directory / "up.json"
        up.write_text(json.dumps(self.federation.local.describe()))

    def launch(self, *more: str) -> subprocess.Popen[bytes]:
        """Start the command."""
        words = [
            *("--dataset", DATASET, "--policy", self.policy, "--model", MODEL),
            *("--records", str(RECORDS), "--input", "notes.jsonl"),
            *("--output", "texts.jsonl", "--federation", "up.json"),
            *("--prompt", "Write.", "--yes", "--json", *more),
        ]
        command = [sys.executable, "-m", "federated_router.cli", "synthesise", *words]
        with (self.directory / "errors.txt").open("ab") as errors:
            process = subprocess.Popen(
                command, cwd=self.directory, stdout=subprocess.PIPE, stderr=errors
            )
        self.started.append(process)
        return process

    async def result(self, process: subprocess.Popen[bytes]) -> dict[str, object]:
        """Return what the command prints at its end."""
        told, _ = await asyncio.to_thread(process.communicate, timeout=120)
        assert process.returncode == 0, self.errors
        found: dict[str, object] = json.loads(told)
        return found

    @property
    def errors(self) -> str:
        """Return what the commands complained of."""
        return (self.directory / "errors.txt").read_text()

    @property
    def job(self) -> str:
        """Return the job's name, as the command remembers it."""
        memory = json.loads((self.directory / "texts.jsonl.job").read_text())
        return f"syntheses/{memory['job']}"

    @property
    def texts(self) -> list[str]:
        """Return the texts that came out."""
        lines = (self.directory / "texts.jsonl").read_text().splitlines()
        return [json.loads(line)["text"] for line in lines]

    async def sampled(self, batches: int) -> pb.Synthesis:
        """Wait until so many batches have a text."""

        async def look() -> pb.Synthesis | None:
            assert self.started[-1].poll() is None, self.errors
            if not (self.directory / "texts.jsonl.job").exists():
                return None
            try:
                found = await self.get()
            except grpc.aio.AioRpcError:
                return None  # The job is remembered before it is opened.
            return found if found.batches_sampled >= batches else None

        return await until(look, what=f"{batches} batches are sampled", within_s=60)

    async def get(self) -> pb.Synthesis:
        """Return the job as the router tells it."""
        tls = self.federation.own_tls("alice")
        async with self.federation.channel("router", tls) as channel:
            stub = synthesis_pb2_grpc.SynthesisServiceStub(channel)
            answer = await stub.GetSynthesis(
                pb.GetSynthesisRequest(name=self.job), timeout=10, wait_for_ready=True
            )
        job: pb.Synthesis = answer.synthesis
        return job


@asynccontextmanager
async def desk_of(
    directory: Path, federation: Processes, policy: str = SHORT_POLICY
) -> AsyncIterator[Desk]:
    """Open a desk; end what it started."""
    desk = Desk(directory, federation, policy)
    desk.write_records()
    try:
        yield desk
    finally:
        for process in desk.started:
            process.kill()
            process.communicate()


async def spent(calls: Calls) -> int:
    """Return what the data set has paid; nothing may be held at the end."""

    async def look() -> int | None:
        account = await calls.account()
        return None if account.held_units else account.spent_units + 1

    return await until(look, what="nothing is held") - 1


def charged(told: dict[str, object]) -> int:
    """Return the units that a job's result says."""
    job = told["synthesis"]
    assert isinstance(job, dict)
    return int(job["tokensCharged"]) * int(job["tokenChargeUnits"])


async def test_killed_command_goes_on_and_pays_once(
    pair: Processes, tmp_path: Path
) -> None:
    """Nothing that was sampled is sampled again, and nothing is missing."""
    async with desk_of(tmp_path, pair) as desk, pair.calls() as calls:
        await calls.open_dataset()
        before = await spent(calls)
        first = desk.launch()
        await desk.sampled(3)
        first.kill()
        first.wait()

        told = await desk.result(desk.launch("--resume"))

        assert told["texts"] == len(desk.texts)
        assert len(desk.texts) >= 9  # One at most was with the node when it died.
        assert await spent(calls) - before == charged(told)
        assert not (tmp_path / "texts.jsonl.job").exists()


async def test_killed_router_loses_one_batch_at_most_and_charges_once(
    pair: Processes, tmp_path: Path
) -> None:
    """The hold and every text outlive the router; the command waits for its return."""
    async with desk_of(tmp_path, pair) as desk, pair.calls() as calls:
        await calls.open_dataset()
        before = await spent(calls)
        running = desk.launch()
        await desk.sampled(3)
        pair.kill("router")
        pair.launch("router")

        told = await desk.result(running)

        assert len(desk.texts) >= 9
        assert await spent(calls) - before == charged(told)


async def test_killed_node_spends_what_it_was_at_and_the_other_goes_on(
    pair: Processes, tmp_path: Path
) -> None:
    """A batch that may have been sampled is not sampled again at the other node."""
    async with desk_of(tmp_path, pair) as desk, pair.calls() as calls:
        await calls.open_dataset()
        before = await spent(calls)
        running = desk.launch()
        await desk.sampled(2)
        pair.kill("node-1")

        told = await desk.result(running)

        assert len(desk.texts) >= 9
        assert await spent(calls) - before == charged(told)
