"""Reserves, and reserve-commit pairs, per second of the ledger on both databases.

Durable writes, 1, 16 and 64 callers, on 1,000 accounts and on one that all want, beside
the statements of a reserve sent one transaction each by the bare driver to a ledger of
its own. Every figure is the median of turns that alternate with the others. At the end
each account must say what was asked of it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import uvloop

from federated_router.budget import ledger
from federated_router.budget.accounts import AccountName, open_account
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import SystemClock
from tests.bench.figures import Sheet
from tests.bench.ledger_bare import bare_per_second
from tests.bench.ledger_callers import NAMES, Callers, request, terms
from tests.support.postgres_cluster import postgres_binaries, running_cluster

CALLERS: Final = (1, 16, 64)
TURNS: Final = 3
TURN_S: Final = 1.0
STORE_TIMEOUT_S: Final = 30.0
SHAPES: Final = {"spread": NAMES, "hot": NAMES[:1]}
GATE_CALLS: Final = 20_000
MILLISECONDS, MICROSECONDS = 1000, 10**6


@dataclass(frozen=True, slots=True)
class Turn:
    """How many calls a second, and how long each took."""

    per_second: float
    latencies_s: list[float]

    @property
    def p99_ms(self) -> float:
        """What one call in a hundred exceeds."""
        return float(np.percentile(self.latencies_s, 99)) * MILLISECONDS


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`; without PostgreSQL its figures are missing."""
    _measure_gate(sheet)
    begin = f"sqlite+aiosqlite:///{folder.resolve()}"
    uvloop.run(
        _measure(sheet, "sqlite", f"{begin}/ours.sqlite", f"{begin}/bare.sqlite")
    )
    binaries = postgres_binaries()
    if binaries is not None:
        with running_cluster(binaries, durable=True) as cluster:
            ours, bare = cluster.new_user(), cluster.new_user()
            uvloop.run(_measure(sheet, "postgres", ours, bare))


def _measure_gate(sheet: Sheet) -> None:
    """Time the decision alone, on one account."""
    accounts = {NAMES[0]: open_account(terms(NAMES[0]), now_s=0.0)}
    asked = request(0, NAMES[:1])
    took_s = []
    for _ in range(GATE_CALLS):
        begin_s = time.perf_counter()
        ledger.reserve(asked, accounts, now_s=1.0)
        took_s.append(time.perf_counter() - begin_s)
    sheet.record("ledger.gate_us", median(took_s) * MICROSECONDS, "us")


async def _measure(sheet: Sheet, database: str, ours: str, bare: str) -> None:
    store = await _opened(ours)
    await (await _opened(bare)).close()
    asking = Callers(store)
    calls = {"reserves": asking.reserve, "pairs": asking.pair}
    turns: dict[tuple[str, str, int], list[Turn]] = defaultdict(list)
    bare_rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(TURNS):
        for shape, names in SHAPES.items():
            for callers in CALLERS:
                for kind, call in calls.items():
                    turn = await _turn(call, names, callers)
                    turns[kind, shape, callers].append(turn)
                rate = await asyncio.to_thread(bare_per_second, bare, names, callers)
                bare_rates[shape, callers].append(rate)
    await asking.check()
    await store.close()
    for (kind, shape, callers), taken in turns.items():
        _record(sheet, kind, f"{database}.{shape}.{callers}", taken)
    for (shape, callers), rates in bare_rates.items():
        name = f"ledger.bare_per_second.{database}.{shape}.{callers}"
        sheet.record(name, median(rates), "1/s")


async def _opened(url: str) -> SqlLedgerStore:
    """Return a ledger with every account."""
    store = await SqlLedgerStore.open(
        url, clock=SystemClock(), timeout_s=STORE_TIMEOUT_S
    )
    await asyncio.gather(*(store.create_account(terms(name)) for name in NAMES))
    return store


async def _turn(
    call: Callable[[Sequence[AccountName]], Awaitable[None]],
    names: Sequence[AccountName],
    callers: int,
) -> Turn:
    """Let so many callers call, each again as soon as it is answered."""
    latencies_s: list[float] = []
    begin_s = time.perf_counter()
    end_s = begin_s + TURN_S

    async def caller() -> None:
        while (asked_s := time.perf_counter()) < end_s:
            await call(names)
            latencies_s.append(time.perf_counter() - asked_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return Turn(len(latencies_s) / (time.perf_counter() - begin_s), latencies_s)


def _record(sheet: Sheet, kind: str, case: str, taken: list[Turn]) -> None:
    rate = median(turn.per_second for turn in taken)
    sheet.record(f"ledger.{kind}_per_second.{case}", rate, "1/s")
    p99_ms = median(turn.p99_ms for turn in taken)
    of = "" if kind == "reserves" else f".{kind}"
    sheet.record(f"ledger.p99_ms{of}.{case}", p99_ms, "ms")
