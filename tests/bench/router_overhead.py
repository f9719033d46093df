"""What the router adds: the same load direct, through the router, through the peer.

The three take turns, several times for each kind and concurrency, so that whatever
else the machine does meets all of them. Figures are medians over those turns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc
import uvloop

from tests.bench import closed_loop
from tests.bench.closed_loop import Call, Load
from tests.bench.figures import Sheet
from tests.bench.router_world import RouterWorld, Target, router_world

CALLERS = (1, 16, 64)
TURNS = 3
TURN_S = 2.0
WARM_UP_S = 0.4


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: how it is made, and what its time is called."""

    name: str
    latency: str
    rate: str
    make: Callable[[grpc.aio.Channel], Call]


KINDS = (
    Kind("unary", "unary", "rps.unary", closed_loop.unary),
    Kind("stream", "stream_first_chunk", "streams_per_s", closed_loop.stream),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One interval at one target, and the processor time that it took there."""

    load: Load
    cpu_s: float

    @property
    def cpu_us_per_call(self) -> float:
        """Return processor microseconds per call."""
        return self.cpu_s / self.load.calls * 1e6


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    uvloop.run(_measure(sheet, folder))


async def _measure(sheet: Sheet, folder: Path) -> None:
    async with router_world(folder) as world:
        for kind in KINDS:
            for callers in CALLERS:
                turns = await _turns(world, kind, callers)
                _record(sheet, kind, callers, turns)


async def _turns(world: RouterWorld, kind: Kind, callers: int) -> dict[str, list[Turn]]:
    calls = {target.name: kind.make(target.channel) for target in world.targets}
    turns: dict[str, list[Turn]] = {target.name: [] for target in world.targets}
    for _ in range(TURNS):
        for target in world.targets:
            turns[target.name].append(await _turn(target, calls[target.name], callers))
    return turns


async def _turn(target: Target, call: Call, callers: int) -> Turn:
    await closed_loop.run(call, callers=callers, duration_s=WARM_UP_S)
    before_s = target.cpu_s()
    load = await closed_loop.run(call, callers=callers, duration_s=TURN_S)
    return Turn(load, target.cpu_s() - before_s)


def _record(
    sheet: Sheet, kind: Kind, callers: int, turns: dict[str, list[Turn]]
) -> None:
    for name, taken in turns.items():
        for percent in (50, 95, 99):
            value = median(turn.load.percentile_ms(percent) for turn in taken)
            sheet.record(f"{name}.p{percent}_ms.{kind.latency}.c{callers}", value, "ms")
        rate = median(turn.load.per_second for turn in taken)
        sheet.record(f"{name}.{kind.rate}.c{callers}", rate, "1/s")
        failed = sum(turn.load.failed for turn in taken)
        if failed:
            sheet.record(f"{name}.failed.{kind.latency}.c{callers}", failed, "calls")
    _record_cost(sheet, kind, callers, turns)
    if callers == 1:
        _record_added(sheet, kind, turns)


def _record_cost(
    sheet: Sheet, kind: Kind, callers: int, turns: dict[str, list[Turn]]
) -> None:
    """Record processor time per call; calls per processor second where saturated."""
    for name in ("router", "peer.raw_proxy"):
        cost_us = median(turn.cpu_us_per_call for turn in turns[name])
        sheet.record(f"{name}.cpu_us.{kind.name}.c{callers}", cost_us, "us")
        if callers == max(CALLERS):
            sheet.record(f"{name}.rps_per_core.{kind.name}", 1e6 / cost_us, "1/s")


def _record_added(sheet: Sheet, kind: Kind, turns: dict[str, list[Turn]]) -> None:
    """Record what the router adds, turn by turn against the direct one beside it."""
    for percent in (50, 95, 99):
        added_ms = median(
            routed.load.percentile_ms(percent) - direct.load.percentile_ms(percent)
            for routed, direct in zip(turns["router"], turns["direct"], strict=True)
        )
        sheet.record(f"router.added_p{percent}_ms.{kind.latency}", added_ms, "ms")
