"""A process of members: `python -m tests.bench.round_members PLAN WORKER ADDRESS`.

Each member is the product's, with a vault, a certificate and a connection of its own.
Says `ready`, then answers each line that it reads with one line of JSON: what its
connections have carried, the processor time it has used, and what it holds.
"""

import asyncio
import gc
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import psutil
import uvloop

from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import open_membership
from federated_router.federation.settings import MembershipSettings
from federated_router.kit import log
from federated_router.kit.clock import SystemClock
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.priors.contents import Cell
from tests.bench import round_simulated, round_statistics
from tests.bench.bench_identities import DOMAIN
from tests.bench.round_plan import NOISE_SCALE, Plan
from tests.bench.socket_bytes import transported

CALL_TIMEOUT_S = 300.0
CONNECT_TIMEOUT_S = 120.0


def main(plan_path: str, worker: str, address: str) -> None:
    """Run this worker's members until standard input ends."""
    # What libraries print goes where errors go; answers have the pipe to themselves.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    log.configure(level="warning", form="text", daemon="bench-members")
    plan = Plan.load(Path(plan_path))
    if plan.simulated:
        round_simulated.install()
    uvloop.run(_run(plan, plan.part(int(worker)), address, answers))


async def _run(
    plan: Plan, member_ids: tuple[str, ...], address: str, answers: TextIO
) -> None:
    async with AsyncExitStack() as stack:
        cells = round_statistics.measured_cells()
        running = [
            await stack.enter_async_context(
                _member(plan, member_id, address, cells=cells)
            )
            for member_id in member_ids
        ]
        gc.collect()
        _say(answers, {"ready": True})
        while await _asked(running):
            _say(answers, _figures(plan, member_ids, address))


@asynccontextmanager
async def _member(
    plan: Plan, member_id: str, address: str, *, cells: tuple[Cell, ...]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a member; yields what ends only if the member fails."""
    tls = plan.identities.tls(Role.NODE, member_id)
    settings = MembershipSettings(
        coordinator=address,
        vault=_vault(plan, member_id),
        noise_scale_min=NOISE_SCALE,
        call_timeout_s=CALL_TIMEOUT_S,
    )
    channel = Channels(tls, trust_domain=DOMAIN).open(address, role=Role.COORDINATOR)
    async with channel:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await channel.channel_ready()
        membership = await open_membership(
            settings,
            credentials=Credentials.load(
                certificate=tls.certificate,
                private_key=tls.private_key,
                authority=tls.authority,
            ),
            channel=channel,
            statistics=round_statistics.filled(cells),
            clock=SystemClock(),
        )
        task = asyncio.create_task(membership.participate())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await membership.close()


async def _asked(running: Sequence[asyncio.Task[None]]) -> bool:
    """Wait for a line; raise what ended a member, which a round would wait for."""
    line = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait({line, *running}, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        if task.done():
            # Whoever measures sees this process end, and reads why in its log.
            traceback.print_exception(task.exception())
            os._exit(1)
    return bool(await line)


def _figures(
    plan: Plan, member_ids: tuple[str, ...], address: str
) -> dict[str, float | int]:
    used = psutil.Process().cpu_times()
    files = [_vault(plan, member_id) for member_id in member_ids]
    return asdict(transported(int(address.rpartition(":")[2]))) | {
        "cpu_s": used.user + used.system,
        "rss_bytes": psutil.Process().memory_info().rss,
        "vault_bytes_max": max(map(_bytes_with_log, files)),
    }


def _bytes_with_log(vault: Path) -> int:
    """Return a database's size, its write-ahead log included."""
    return sum(one.stat().st_size for one in vault.parent.glob(f"{vault.name}*"))


def _vault(plan: Plan, member_id: str) -> Path:
    return plan.folder / "vaults" / member_id / "vault.sqlite"


def _say(answers: TextIO, message: Mapping[str, float]) -> None:
    answers.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
