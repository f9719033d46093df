"""Reservations per second of the ledger on SQLite: reserve, then commit, durably.

Every request holds the worst case of a data set's and a user's account and commits
what it used; at the end the accounts must say exactly that.
"""

import asyncio
import hashlib
import time
from collections import Counter
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
import uvloop

from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Charge, Owner, RequestId
from federated_router.budget.store import SqlLedgerStore
from federated_router.kit.clock import SystemClock
from tests.bench.figures import Sheet

CALLERS = (1, 16, 64)
TURNS = 3
TURN_S = 2.0
USERS = 200
STORE_TIMEOUT_S = 30.0
DATASET = AccountName("accounts/dataset-bench")
OWNER = Owner("bench", "boot")
TOKENS_MAX = 32
TOKENS = 20
LIMIT_UNITS = 10**15
TOKEN_UNITS = 2
MILLISECONDS = 1000


class Requests:
    """Makes requests, serves them at a ledger, and remembers what each cost."""

    def __init__(self, ledger: LedgerStore) -> None:
        self._ledger = ledger
        self._numbers = count()
        self.spent_units: Counter[AccountName] = Counter()

    async def serve_one(self) -> float:
        """Reserve and commit once; return the seconds of both."""
        number = next(self._numbers)
        user = AccountName(f"accounts/user-{number % USERS}")
        request = ReserveRequest(
            request_id=RequestId(f"request-{number}"),
            body_digest=hashlib.sha256(str(number).encode()).digest(),
            owner=OWNER,
            charges=(Charge(DATASET, TOKEN_UNITS), Charge(user, TOKEN_UNITS)),
            tokens_max=TOKENS_MAX,
            lease_s=60.0,
            event='{"mechanism":"token","rho_units":2}',
        )
        begin_s = time.perf_counter()
        await self._ledger.reserve(request)
        await self._ledger.commit(request.request_id, owner=OWNER, tokens=TOKENS)
        took_s = time.perf_counter() - begin_s
        for account in (DATASET, user):
            self.spent_units[account] += TOKENS * TOKEN_UNITS
        return took_s

    async def check(self) -> None:
        """Raise RuntimeError unless every account says what was spent."""
        for name, units in self.spent_units.items():
            account = await self._ledger.get_account(name)
            if (account.spent_units, account.reserved_units) != (units, 0):
                raise RuntimeError(f"{name} does not say what was spent.")


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    uvloop.run(_measure(sheet, folder))


async def _measure(sheet: Sheet, folder: Path) -> None:
    url = f"sqlite+aiosqlite:///{folder.resolve() / 'ledger.sqlite'}"
    ledger = await SqlLedgerStore.open(
        url, clock=SystemClock(), timeout_s=STORE_TIMEOUT_S
    )
    try:
        await _open_accounts(ledger)
        requests = Requests(ledger)
        turns: dict[int, list[tuple[float, list[float]]]] = {c: [] for c in CALLERS}
        for _ in range(TURNS):
            for callers in CALLERS:
                turns[callers].append(await _turn(requests, callers))
        await requests.check()
    finally:
        await ledger.close()
    for callers, taken in turns.items():
        _record(sheet, callers, taken)


async def _open_accounts(ledger: LedgerStore) -> None:
    names = [DATASET, *(AccountName(f"accounts/user-{n}") for n in range(USERS))]
    for name in names:
        terms = AccountTerms(name=name, limit_units=LIMIT_UNITS, delta=1e-6)
        await ledger.create_account(terms)


async def _turn(requests: Requests, callers: int) -> tuple[float, list[float]]:
    """Return requests per second, and the latencies in seconds."""
    latencies_s: list[float] = []
    begin_s = time.perf_counter()
    end_s = begin_s + TURN_S

    async def caller() -> None:
        while time.perf_counter() < end_s:
            latencies_s.append(await requests.serve_one())

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return len(latencies_s) / (time.perf_counter() - begin_s), latencies_s


def _record(sheet: Sheet, callers: int, taken: list[tuple[float, list[float]]]) -> None:
    rate = median(per_second for per_second, _ in taken)
    sheet.record(f"ledger.requests_per_s.c{callers}", rate, "1/s")
    for percent in (50, 99):
        value = median(
            float(np.percentile(latencies_s, percent)) for _, latencies_s in taken
        )
        name = f"ledger.p{percent}_ms.c{callers}"
        sheet.record(name, value * MILLISECONDS, "ms")
