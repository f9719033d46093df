"""Encrypted rounds: four members over gRPC, and a hundred in one process.

Times of the large round are of one processor doing every member's part in turn; in a
federation members work at the same time, so `member_ms` is what each waits for itself.
"""

import time
from pathlib import Path
from statistics import median

import uvloop

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.kit import log
from tests.bench.crypto_round import measured_round
from tests.bench.figures import Sheet
from tests.bench.round_world import round_world

ROUNDS = 3
LARGE = 100
_MEMBER_STEPS = ("join", "contribute", "answer")
_COORDINATOR_STEPS = ("roster", "sum", "open")


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    log.configure(level="warning", form="text", daemon="bench")
    uvloop.run(_measure_four(sheet, folder))
    _measure_simulated(sheet, 4)
    _measure_simulated(sheet, LARGE)


async def _measure_four(sheet: Sheet, folder: Path) -> None:
    seconds: list[float] = []
    async with round_world(folder) as world:
        # The first round also opens connections; it is not among the figures.
        await world.run_round("warm-up")
        for number in range(ROUNDS):
            begin_s = time.perf_counter()
            ended = await world.run_round(f"round-{number}")
            seconds.append(time.perf_counter() - begin_s)
    sheet.record("round.seconds.n4", median(seconds), "s")
    sent = max(entry.contribution_bytes for entry in ended.roster)
    sheet.record("round.bytes_per_member.n4", sent, "bytes")
    for name, step_ms in _steps_ms(ended):
        sheet.record(f"round.step_ms.{name}.n4", step_ms, "ms")


def _steps_ms(ended: pb.Round) -> list[tuple[str, float]]:
    """Return how long the round stood in each state."""
    times = [entry.enter_time.ToNanoseconds() / 1e6 for entry in ended.history]
    names = [pb.Round.State.Name(entry.state) for entry in ended.history]
    return [
        (name.removeprefix("STATE_").lower(), after - before)
        for name, before, after in zip(names, times, times[1:], strict=False)
    ]


def _measure_simulated(sheet: Sheet, size: int) -> None:
    measured = measured_round(size)
    spent_s = measured.seconds
    suffix = f"simulated.n{size}" if size != LARGE else f"n{size}"
    sheet.record(f"round.seconds.{suffix}", sum(spent_s.values()), "s")
    sheet.record(f"round.bytes_per_member.{suffix}", measured.bytes_per_member, "bytes")
    for who, steps in (("member", _MEMBER_STEPS), ("coordinator", _COORDINATOR_STEPS)):
        each = size if who == "member" else 1
        for step in steps:
            step_ms = spent_s[step] / each * 1000
            sheet.record(f"round.{who}_ms.{step}.{suffix}", step_ms, "ms")
        whole_ms = sum(spent_s[step] for step in steps) / each * 1000
        sheet.record(f"round.{who}_ms.{suffix}", whole_ms, "ms")
