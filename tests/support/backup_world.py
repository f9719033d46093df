"""Words for tests of backup and restore: a full ledger, and all of its rows."""

import asyncio
import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.answers import Answer
from federated_router.budget.audit.verification import AuditReport
from federated_router.budget.backup.archive import back_up
from federated_router.budget.backup.format import TABLES
from federated_router.budget.backup.restore import Restore, RestoreSummary, restore
from federated_router.budget.chain import ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.reservation import RequestId
from federated_router.budget.sql.schema import ANSWERS
from federated_router.budget.sql.store import MIGRATIONS, SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from tests.support.audit_world import (
    OWNER,
    TOKEN,
    WARD,
    check,
    export_lines,
    random_history,
    release,
    story,
)

Rows = dict[str, list[tuple[object, ...]]]
Lines = list[Any]
SEED = 20_260_101
LARGE = AccountTerms(
    name=AccountName("accounts/dataset-large"), limit_units=10**17, delta=1e-6
)


async def ledger(url: str, clock: ManualClock) -> SqlLedgerStore:
    """Open a ledger."""
    return await SqlLedgerStore.open(url, clock=clock, timeout_s=30.0)


async def filled(
    url: str, clock: ManualClock, key: CheckpointSigner, *, length: int = 25
) -> SqlLedgerStore:
    """Return a ledger that holds something in every table."""
    store = await ledger(url, clock)
    await story(store, clock, between=lambda: store.checkpoint(key))
    await random_history(store, clock, SEED, length=length)
    await store.propose_renewal(WARD, operator="eve", reason="more", lasts_s=3600.0)
    await store.create_account(LARGE)
    # More than a page of the backup.
    await asyncio.gather(*(answered(store, clock, number) for number in range(20)))
    await store.reserve(release(RUNNING, TOKEN, [LARGE], steps_max=9, steps_bound=3))
    await store.bound(RUNNING, owner=OWNER, steps=6)
    await store.checkpoint(key)
    return store


RUNNING = RequestId("running")
"""An open hold of 9 steps, of which 6 are allowed."""


async def answered(store: SqlLedgerStore, clock: ManualClock, number: int) -> None:
    """Make a request whose answer is kept."""
    request_id = RequestId(f"answered-{number}")
    await store.reserve(release(request_id, TOKEN, [LARGE], steps_max=1))
    answer = Answer(
        request_id=request_id,
        content=bytes([number]) * 100,
        stored_time_s=clock.now_s(),
        expires_time_s=clock.now_s() + 60.0,
        cache_key=bytes([number]) * 32 if number % 2 else None,
    )
    await store.commit(request_id, owner=OWNER, steps=1, answer=answer)


async def all_rows(url: str) -> Rows:
    """Return every row, without the numbers that each database gives itself."""
    database = await Database.open(url, migrations=MIGRATIONS)
    found: Rows = {}
    async with database.read("test") as connection:
        for table in TABLES:
            keys = list(table.primary_key.columns)
            columns = [
                c for c in table.columns if table is not ANSWERS or c not in keys
            ]
            rows = await connection.execute(select(*columns).order_by(*keys))
            found[table.name] = [tuple(row) for row in rows]
    await database.close()
    return found


async def restored(
    url: str,
    path: Path,
    clock: ManualClock,
    *,
    newest: tuple[Checkpoint, ...] = (),
    accept_lost_charges: bool = False,
    reason: str = "the disk died",
) -> RestoreSummary:
    """Restore a backup."""
    wanted = Restore(
        path=path,
        restored_by="operators/eve",
        reason=reason,
        newest=newest,
        accept_lost_charges=accept_lost_charges,
    )
    return await restore(url, wanted, clock=clock, tell=lambda _table, _rows: None)


async def backed_up(url: str, path: Path, clock: ManualClock) -> ChainHead:
    """Back a ledger up; return where it stood."""
    made = await back_up(url, path, clock=clock, tell=lambda _table, _rows: None)
    return made.header.head


async def audited(store: SqlLedgerStore, key: CheckpointSigner) -> AuditReport:
    """Verify the ledger as an outsider would."""
    return check(await export_lines(store, key), key.public_key)


def lines_of(path: Path) -> Lines:
    """Return what a backup says, line by line."""
    return [
        json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def write_anew(path: Path, lines: Lines) -> None:
    """Write lines with counts and a digest that fit them."""
    rows: Counter[str] = Counter()
    table = ""
    content = b""
    for line in lines[:-1]:
        if isinstance(line, dict) and "table" in line:
            table = line["table"]
            rows[table] = 0
        elif isinstance(line, list):
            rows[table] += 1
        content += json.dumps(line, separators=(",", ":")).encode() + b"\n"
    end = {"rows": dict(rows), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_bytes(gzip.compress(content + json.dumps(end).encode() + b"\n"))


def row_of(lines: Lines, table: str, number: int = 0) -> tuple[int, dict[str, int]]:
    """Return the line of a row, and the places of its columns."""
    at = next(
        place
        for place, line in enumerate(lines)
        if isinstance(line, dict) and line.get("table") == table
    )
    return at + 1 + number, {name: i for i, name in enumerate(lines[at]["columns"])}
