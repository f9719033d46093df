"""Run a simulation: round after round, then what must hold, then the report.

Decides when rounds open, how long one is waited for, and when clocks jump. Refuses to
know what a round does and what is printed of it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from coordinator.rounds.state import ENDED, State
from coordinator.simulation import checks, load
from coordinator.simulation.checks import Evidence
from coordinator.simulation.federation import Federation, federation
from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.report import (
    SimulationReport,
    Spent,
    attack_reports,
    round_report,
)
from coordinator.simulation.virtual_loop import VirtualLoop, run_virtual
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import (
    DeadlineExceeded,
    LimitReached,
    RoundStateWrong,
    Unavailable,
)

LOOK_S: Final = 0.5
SLACK_S: Final = 30.0
"""How much longer than all its deadlines a round may take: writes, links and looks."""

START_S: Final = 5.0
"""What members get to come up before the first round."""

SETTLE_S: Final = 15.0
"""What members get after a round to hear of its end."""

OPEN_TIMEOUT_S: Final = 10.0
OPEN_ATTEMPTS_MAX: Final = 60

Progress = Callable[[int, str], None]
"""Told the number of the running round, from 0, and its state, whenever it moves."""


@dataclass(slots=True)
class _Measure:
    """Readings of every meter, to subtract from later ones."""

    virtual_s: float
    cpu_s: float
    member_work_s: float
    sent: list[int]
    received: list[int]
    deaths: int


@dataclass(frozen=True, slots=True)
class Played:
    """A run that is over: what it showed, and everything that was noted in it."""

    report: SimulationReport
    evidence: Evidence


def run_simulation(
    plan: SimulationPlan, *, progress: Progress = lambda _number, _state: None
) -> SimulationReport:
    """Play the plan to its end and return what it showed; takes the processor's time.

    Raises Stalled where the simulated world stands still for good.
    """
    return play(plan, progress=progress).report


def play(
    plan: SimulationPlan, *, progress: Progress = lambda _number, _state: None
) -> Played:
    """Play the plan like `run_simulation`, and return the evidence too."""
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    with TemporaryDirectory(prefix="federation-") as directory:
        return run_virtual(
            lambda loop: _Run(plan, loop, progress, (begin_s, begin_cpu_s)).play(
                Path(directory)
            ),
            work_s=plan.work_s,
        )


class _Run:
    def __init__(
        self,
        plan: SimulationPlan,
        loop: VirtualLoop,
        progress: Progress,
        begin: tuple[float, float],
    ) -> None:
        self._plan = plan
        self._loop = loop
        self._progress = progress
        self._begin_s, self._begin_cpu_s = begin
        self._dice = plan.dice("clock jumps")

    async def play(self, directory: Path) -> Played:
        async with federation(self._plan, directory) as world:
            await asyncio.sleep(START_S)
            played: list[tuple[str, Spent]] = []
            for number in range(self._plan.rounds):
                before = self._measure(world)
                name = await self._round(world, number)
                played.append((name, _spent(before, self._measure(world))))
            evidence = await _evidence(world, [name for name, _ in played])
        report = self._report(evidence, [spent for _, spent in played])
        return Played(report, evidence)

    async def _round(self, world: Federation, number: int) -> str:
        self._record(world, number)
        self._schedule_jumps(world, number)
        begin_s = self._loop.time()
        deaths = len(world.coordinator.deaths)
        name = await self._open(world, number)
        told: State | None = None
        while (state := world.coordinator.state(name)) not in ENDED:
            if state is not told:
                told = state
                self._progress(number, state.value)
            died = len(world.coordinator.deaths) - deaths
            if self._loop.time() - begin_s > self._patience_s(died):
                world.witness.defects.append(f"{name} hangs in {state}")
                break
            await asyncio.sleep(LOOK_S)
        self._progress(number, state.value)
        await asyncio.sleep(SETTLE_S)
        return name

    def _patience_s(self, deaths: int) -> float:
        """Return how long a round may take with so many deaths; jumps add nothing."""
        times = self._plan.times
        each_s = self._plan.downtime_s + times.resume_grace_s + SLACK_S / 6
        return times.total_s + deaths * each_s + SLACK_S

    def _record(self, world: Federation, number: int) -> None:
        catalogue = world.coordinator.terms.catalogue
        for member in world.members:
            if member.statistics is not None:
                load.record(
                    member.statistics,
                    world.witness,
                    member=member.part.name,
                    index=member.part.index,
                    members=self._plan.members,
                    round_index=number,
                    catalogue=catalogue,
                )

    def _schedule_jumps(self, world: Federation, number: int) -> None:
        """Let this round's part of the jumps happen at random times within it."""
        rounds, jumps = self._plan.rounds, self._plan.clock_jumps
        due = jumps * (number + 1) // rounds - jumps * number // rounds
        clocks = [world.coordinator.clock, *(one.clock for one in world.members)]
        for _ in range(due):
            # Every second jump is the coordinator's, whose clock decides deadlines.
            who = (
                0 if self._dice.random() < 1 / 2 else self._dice.randrange(len(clocks))
            )
            most_s = self._plan.clock_jump_s_max
            by_s = self._dice.uniform(-most_s, most_s)
            at_s = self._dice.uniform(0.0, self._plan.times.total_s / 4)
            self._loop.call_later(at_s, clocks[who].jump, by_s)

    async def _open(self, world: Federation, number: int) -> str:
        """Open a round as an operator does, again until the coordinator answers."""
        request = pb2.CreateRoundRequest(request_id=f"round-{number}")
        if self._plan.late == self._plan.vanishing == 0:
            request.members_expected = self._plan.members
        for _ in range(OPEN_ATTEMPTS_MAX):
            try:
                made = await world.operator.CreateRound(request, timeout=OPEN_TIMEOUT_S)
            except (Unavailable, DeadlineExceeded, LimitReached, RoundStateWrong):
                await asyncio.sleep(1.0)
                continue
            return str(made.round.name)
        raise Unavailable("The simulated coordinator opens no round.")

    def _measure(self, world: Federation) -> _Measure:
        return _Measure(
            self._loop.time(),
            time.process_time(),
            self._loop.cpu_s["member"],
            [one.link.traffic.sent_bytes for one in world.members],
            [one.link.traffic.received_bytes for one in world.members],
            len(world.coordinator.deaths),
        )

    def _report(self, evidence: Evidence, spent: list[Spent]) -> SimulationReport:
        rounds = tuple(
            round_report(evidence, round_, cost)
            for round_, cost in zip(evidence.rounds, spent, strict=True)
        )
        return SimulationReport(
            seed=self._plan.seed,
            members=self._plan.members,
            exact=self._plan.exact,
            rosters_shared=self._plan.share_rosters,
            rounds=rounds,
            attacks=attack_reports(evidence, rounds),
            violations=tuple(checks.violations(evidence)),
            virtual_s=self._loop.time(),
            cpu_s=time.process_time() - self._begin_cpu_s,
            wall_s=time.perf_counter() - self._begin_s,
        )


async def _evidence(world: Federation, names: list[str]) -> Evidence:
    return Evidence(
        world.plan,
        world.parts,
        world.witness,
        tuple([await world.coordinator.round(name) for name in names]),
        tuple(await world.coordinator.published()),
    )


def _spent(before: _Measure, after: _Measure) -> Spent:
    sent = [new - old for old, new in zip(before.sent, after.sent, strict=True)]
    received = [
        new - old for old, new in zip(before.received, after.received, strict=True)
    ]
    return Spent(
        virtual_s=after.virtual_s - before.virtual_s,
        cpu_s=after.cpu_s - before.cpu_s,
        member_work_s=(after.member_work_s - before.member_work_s) / len(sent),
        sent_bytes_mean=sum(sent) / len(sent),
        sent_bytes_max=max(sent),
        received_bytes_mean=sum(received) / len(received),
        received_bytes_max=max(received),
        coordinator_deaths=after.deaths - before.deaths,
    )
