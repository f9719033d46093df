"""What the router adds beside what LiteLLM's proxy adds, in one run.

Both have one processor to themselves, the same one by turns, and the same answers with
the same timing behind them: 5 ms to the first token, 2 ms to each of 64. Added times
are of one caller, against the same calls without anything between. Requests per second
and core are calls per second of processor time of the process between, with many
callers.

A proxy of grpc.aio that passes bytes and knows nothing is measured beside both: no
router that speaks gRPC in Python adds less.

Both have one upstream; what 100 nodes and their leases cost, the router's own benchmark
tells. What differs: the router speaks gRPC over mTLS on both sides, checks who calls,
and keeps a log and metrics; LiteLLM speaks plain HTTP with JSON, and has keys, log and
telemetry off. Its costs are so those of its protocol too.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc
import uvloop
from rich.console import Console

from tests.bench import closed_loop
from tests.bench.closed_loop import Call, Load
from tests.bench.figures import Sheet
from tests.bench.litellm_world import LitellmWorld, litellm_world
from tests.bench.peers import environment
from tests.bench.peers.environment import LITELLM, PeerUnavailable
from tests.bench.router_world import RouterWorld, Target, router_world
from tests.bench.timing import Timing

TIMING = Timing(first_ms=5.0, token_ms=2.0)
TURNS = int(os.environ.get("BENCH_TURNS", "7"))
TURN_S = float(os.environ.get("BENCH_TURN_S", "2"))
WARM_UP_S = 1.0
console = Console(width=100)


@dataclass(frozen=True, slots=True)
class Between:
    """A system between callers and answers: the calls beside it and through it."""

    name: str
    direct: Call
    through: Call
    cpu_s: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Turn:
    """One interval of load, and the processor time of what lay between."""

    load: Load
    cpu_s: float

    @property
    def per_core(self) -> float:
        """Return calls per second of processor time."""
        return self.load.calls / self.cpu_s


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call, and how many callers keep a core busy with it.

    `floor` is the proxy that only passes bytes.
    """

    name: str
    callers: int
    systems: tuple[Between, Between]
    floor: Between


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; without LiteLLM there is nothing to measure beside."""
    try:
        environment.install(LITELLM, console.print)
        uvloop.run(_measure(sheet, folder))
    except PeerUnavailable as error:
        console.print(f"[yellow]left out: {error}[/yellow]")


async def _measure(sheet: Sheet, folder: Path) -> None:
    # The router's world comes second: it leaves this process one processor alone.
    async with (
        litellm_world(folder, TIMING) as theirs,
        router_world(folder, TIMING, nodes=1) as ours,
    ):
        for kind in _kinds(ours, theirs):
            await _added(sheet, kind)
            await _rates(sheet, kind)


def _kinds(ours: RouterWorld, theirs: LitellmWorld) -> tuple[Kind, Kind]:
    def between(target: Target, call: Callable[[grpc.aio.Channel], Call]) -> Between:
        direct, through = call(ours.direct.channel), call(target.channel)
        return Between(target.name, direct, through, target.cpu_s)

    direct, proxied = theirs.direct, theirs.proxied
    unary = Between("litellm", direct.unary(), proxied.unary(), theirs.cpu_s)
    stream = Between("litellm", direct.stream(), proxied.stream(), theirs.cpu_s)
    return (
        Kind(
            "unary",
            64,
            (between(ours.routed, closed_loop.unary), unary),
            between(ours.peer, closed_loop.unary),
        ),
        Kind(
            "stream64",
            32,
            (between(ours.routed, closed_loop.stream), stream),
            between(ours.peer, closed_loop.stream),
        ),
    )


async def _added(sheet: Sheet, kind: Kind) -> None:
    """Record what each adds for one caller, turn by turn against the direct call."""
    added: dict[tuple[str, int], list[float]] = {}
    for _ in range(TURNS):
        for system in (*kind.systems, kind.floor):
            await closed_loop.run(system.through, callers=1, duration_s=WARM_UP_S)
            direct = await closed_loop.run(system.direct, callers=1, duration_s=TURN_S)
            through = await closed_loop.run(
                system.through, callers=1, duration_s=TURN_S
            )
            for percent in (50, 99):
                difference = through.percentile_ms(percent) - direct.percentile_ms(
                    percent
                )
                added.setdefault((system.name, percent), []).append(difference)
    # Unary calls are what is compared; of streams it is the first chunk.
    suffix = "" if kind.name == "unary" else f".{kind.name}_first_chunk"
    for (name, percent), differences in added.items():
        sheet.record(f"{name}.added_p{percent}_ms{suffix}", median(differences), "ms")


async def _rates(sheet: Sheet, kind: Kind) -> None:
    """Record calls per second and core of each, and how they compare."""
    turns: dict[str, list[Turn]] = {system.name: [] for system in kind.systems}
    for _ in range(TURNS):
        for system in kind.systems:
            turns[system.name].append(await _turn(system, kind.callers))
    rates = {}
    for name, taken in turns.items():
        rates[name] = median(turn.per_core for turn in taken)
        beside = "litellm" if name == "litellm" else "router.beside_litellm"
        sheet.record(f"{beside}.rps_per_core.{kind.name}", rates[name], "1/s")
        rate = median(turn.load.per_second for turn in taken)
        sheet.record(f"{beside}.rps.{kind.name}.c{kind.callers}", rate, "1/s")
        for percent in (50, 99):
            value = median(turn.load.percentile_ms(percent) for turn in taken)
            sheet.record(
                f"{beside}.p{percent}_ms.{kind.name}.c{kind.callers}", value, "ms"
            )
    # Of turns that follow each other: the machine changes more between others.
    pairs = zip(turns["router"], turns["litellm"], strict=True)
    ratio = median(ours.per_core / theirs.per_core for ours, theirs in pairs)
    sheet.record(f"router.rps_ratio_to_litellm.{kind.name}", ratio, "x")


async def _turn(system: Between, callers: int) -> Turn:
    await closed_loop.run(system.through, callers=callers, duration_s=WARM_UP_S)
    before_s = system.cpu_s()
    load = await closed_loop.run(system.through, callers=callers, duration_s=TURN_S)
    return Turn(load, system.cpu_s() - before_s)
