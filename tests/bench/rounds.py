"""Encrypted rounds of 10, 32 and 100 members, and two compared systems on 100 clients.

Rounds are whole: from their opening to published priors, over gRPC and mTLS, with a
coordinator's process, processes of members, and stores on disk. The compared systems
run in one process without any transport, which favours them; NVFlare's path has no
secret that its clients do not share either, so that beside the whole round stands the
part of ours that does what it does.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console

from federated_router.kit import log
from tests.bench.figures import Sheet
from tests.bench.peers import environment as peers
from tests.bench.peers.environment import FLOWER, NVFLARE, Peer, PeerUnavailable
from tests.bench.round_encryption import encrypted_sum
from tests.bench.round_measured import MEGABYTE, Cost, measured
from tests.bench.round_plan import VALUES_MAX, Plan, catalogue

SIZES = (10, 32, 100)
COMPARED = 100
ROUNDS = 3
WORKERS = 8
FLOWER_SHARES = 25
FLOWER_THRESHOLD = 17
NVFLARE_RUNS = 3
console = Console(width=100)


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    log.configure(level="warning", form="text", daemon="bench")
    sheet.record("round.values", catalogue().catalogue().vector_length, "values")
    for size in SIZES:
        plan = Plan(folder / f"n{size}", size, WORKERS)
        cost = uvloop.run(measured(plan, rounds=ROUNDS))
        shutil.rmtree(plan.folder)
        record(sheet, cost)
        if size == COMPARED:
            _compare(sheet, cost)


def record(sheet: Sheet, cost: Cost) -> None:
    """Record what the rounds of one size cost."""
    record_first(sheet, cost)
    size, later = cost.plan.size, cost.later
    sent, received = cost.sent_per_member, cost.received_per_member
    coordinator_s = median(one.coordinator_cpu_s for one in later)
    member_ms = median(one.members_cpu_s for one in later) / size * 1000
    for name, value, unit in (
        ("seconds", cost.seconds, "s"),
        ("bytes_per_member", sent + received, "bytes"),
        ("bytes_per_member_up", sent, "bytes"),
        ("bytes_per_member_down", received, "bytes"),
        ("cpu_s_coordinator", coordinator_s, "s"),
        ("cpu_ms_per_member", member_ms, "ms"),
        ("coordinator_rss_mb", cost.coordinator_rss_bytes / MEGABYTE, "MB"),
        ("coordinator_kept_mb", cost.coordinator_kept_bytes / MEGABYTE, "MB"),
        ("coordinator_idle_mb", cost.coordinator_idle_bytes / MEGABYTE, "MB"),
        ("member_state_mb", cost.member_vault_bytes / MEGABYTE, "MB"),
    ):
        sheet.record(f"round.{name}.{size}", value, unit)
    for state, seconds in cost.states_s().items():
        sheet.record(f"round.step_ms.{state}.{size}", seconds * 1000, "ms")


def record_first(sheet: Sheet, cost: Cost) -> None:
    """Record what the first round of one size cost."""
    size, first = cost.plan.size, cost.first
    transported = first.sent_per_member + first.received_per_member
    rss_mb = first.coordinator_rss_bytes / MEGABYTE
    sheet.record(f"round.seconds_first.{size}", first.seconds, "s")
    sheet.record(f"round.bytes_per_member_first.{size}", transported, "bytes")
    sheet.record(f"round.coordinator_rss_first_mb.{size}", rss_mb, "MB")


def _compare(sheet: Sheet, cost: Cost) -> None:
    flower = of_peer(FLOWER, COMPARED, VALUES_MAX, FLOWER_SHARES, FLOWER_THRESHOLD)
    if flower:
        sheet.record("round.flower_secagg_seconds.100", flower["seconds"], "s")
        ratio = flower["seconds"] / cost.seconds
        sheet.record("round.speedup_to_flower_secagg.100", ratio, "x")
    nvflare = of_peer(NVFLARE, COMPARED, VALUES_MAX, runs=NVFLARE_RUNS)
    if nvflare:
        own_s = median(
            encrypted_sum(COMPARED, VALUES_MAX).seconds for _ in range(NVFLARE_RUNS)
        )
        sheet.record("round.nvflare_he_seconds.100", nvflare["seconds"], "s")
        sheet.record("round.encrypted_sum_seconds.100", own_s, "s")
        # The same work on both sides: encrypt, serialise, add, decrypt.
        ratio = nvflare["seconds"] / own_s
        sheet.record("round.speedup_to_nvflare_he.100", ratio, "x")
        # Our whole round over the network beside their arithmetic without one.
        whole = nvflare["seconds"] / cost.seconds
        sheet.record("round.speedup_whole_to_nvflare_he.100", whole, "x")
        per_client = nvflare["bytes"]
        sheet.record("round.nvflare_he_bytes_per_client.100", per_client, "bytes")


def of_peer(peer: Peer, *arguments: int, runs: int = 1) -> Mapping[str, float] | None:
    """Return the run of median time; None, and a message, where it cannot run."""
    try:
        found = [peers.run(peer, *arguments, say=console.print) for _ in range(runs)]
    except PeerUnavailable as error:
        console.print(f"[yellow]Left out: {error}[/yellow]")
        return None
    return sorted(found, key=lambda one: one["seconds"])[len(found) // 2]
