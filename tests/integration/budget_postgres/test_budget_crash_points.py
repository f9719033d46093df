"""A router killed between any two statements loses no charge and spends no more."""

import subprocess
import sys
from pathlib import Path

import pytest

from federated_router.budget.reservation import (
    Owner,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import NotFound
from tests.support.ledger_crasher import FIRST, TOKENS
from tests.support.ledger_world import (
    DATASET,
    NOON_S,
    USER,
    Balance,
    assert_chained,
    balance,
    balances_told_by,
    journal,
    terms,
)
from tests.support.postgres_cluster import PostgresCluster

POINTS_MIN = 18
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty ledger on either database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3"
    cluster: PostgresCluster = request.getfixturevalue("cluster")
    return cluster.new_user()


def crash_everywhere(url: str) -> dict[int, list[str]]:
    """Kill a router at every point; return what each was told before it died."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.ledger_crasher", url],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        timeout=280,
    ).stdout.splitlines()
    last = int(told[-1].split()[0])
    heard: dict[int, list[str]] = {point: [] for point in range(1, last + 1)}
    for line in told:
        point, word = line.split()
        heard[int(point)].append(word)
    return heard


async def found(store: SqlLedgerStore, point: int) -> Reservation | None:
    """Return what the ledger holds of the request that died at `point`."""
    try:
        return await store.get_reservation(RequestId(f"point-{point}"))
    except NotFound:
        return None


async def test_killed_router_keeps_what_it_acknowledged(url: str) -> None:
    """Acknowledged is durable, and what was not acknowledged is whole or absent.

    A hold that is left is charged what it allows: never less than anybody was told.
    """
    clock = ManualClock(NOON_S)
    store = await SqlLedgerStore.open(url, clock=clock, timeout_s=30.0)
    for name in (DATASET, USER):
        await store.create_account(terms(name, limit_units=100_000))

    heard = crash_everywhere(url)

    after = {point: await found(store, point) for point in heard}
    committed = {
        point
        for point, one in after.items()
        if one is not None and one.state is ReservationState.COMMITTED
    }
    held = {
        point: one.steps_bound
        for point, one in after.items()
        if one is not None and point not in committed
    }
    assert len(heard) >= POINTS_MIN
    assert all(after[point] for point, words in heard.items() if "reserved" in words)
    assert {p for p, words in heard.items() if "committed" in words} <= committed
    assert set(held.values()) == {FIRST, TOKENS}
    assert all(
        held[point] == TOKENS
        for point, words in heard.items()
        if point in held and "bounded" in words
    )
    # The bound is there, and nobody was told.
    assert any(
        held[point] == TOKENS
        for point, words in heard.items()
        if point in held and "bounded" not in words
    )
    assert None in after.values()
    # The last point before the end: committed, and nobody was told.
    assert committed - {p for p, words in heard.items() if "committed" in words}
    spent = len(committed) * TOKENS * 2
    assert await balance(store) == Balance(spent, len(held) * 200, spent)

    orphans = await store.settle_orphans(Owner("router-1", "boot-2"))

    assert {one.request_id for one in orphans} == {f"point-{p}" for p in held}
    spent += sum(held.values()) * 2
    assert await balance(store) == Balance(spent, 0, spent)
    told = balances_told_by(await journal(store))
    assert told == {name: await balance(store, name) for name in (DATASET, USER)}
    await assert_chained(store)
    await store.close()
