"""What must hold of a ledger after its routers were killed, whatever they did."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.entries import EntryKind
from federated_router.budget.port import PAGE_SIZE_MAX
from federated_router.budget.reservation import (
    Owner,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import SystemClock
from tests.support.ledger_riot import USERS, WARD
from tests.support.ledger_world import (
    Balance,
    Told,
    assert_chained,
    journal,
    terms,
)

REPOSITORY = Path(__file__).resolve().parents[2]
SEED = "LEDGER_SEED"


def seed_of_this_run() -> str:
    """Return the seed given in the environment, or a new one."""
    return os.environ.get(SEED) or str(random.SystemRandom().randrange(10**9))


async def riot_and_inquest(
    url: str, folder: Path, *, routers: int, lives: int, timeout_s: float
) -> int:
    """Let routers live and die on the ledger at `url`, then examine it.

    Returns how many acknowledgements were examined. Prints the seed first.
    """
    seed, told = seed_of_this_run(), folder / "told.jsonl"
    sys.stdout.write(f"{SEED}={seed}\n")
    store = await SqlLedgerStore.open(url, clock=SystemClock(), timeout_s=60.0)
    await store.create_account(WARD)
    for name in USERS:
        await store.create_account(terms(name, limit_units=2500))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.ledger_riot", url, seed),
        *(str(routers), str(lives), str(told)),
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(timeout_s):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    acknowledged = [json.loads(line) for line in told.read_text().splitlines()]
    await _examine(store, acknowledged)
    await _settle_all(store, routers)
    await store.close()
    return len(acknowledged)


async def _examine(
    store: SqlLedgerStore, acknowledged: list[dict[str, object]]
) -> None:
    await assert_chained(store)
    found = await _reservations(store)
    await _nothing_acknowledged_is_lost(store, found, acknowledged)
    await _balances_are_explained(store, found)


async def _reservations(store: SqlLedgerStore) -> dict[str, Reservation]:
    """Return every reservation: each charges the ward."""
    found: dict[str, Reservation] = {}
    token = ""
    while True:
        page = await store.list_reservations(
            WARD.name, page_size=PAGE_SIZE_MAX, page_token=token
        )
        found.update((one.request_id, one) for one in page.reservations)
        token = page.next_page_token
        if not token:
            return found


async def _nothing_acknowledged_is_lost(
    store: SqlLedgerStore,
    found: dict[str, Reservation],
    acknowledged: list[dict[str, object]],
) -> None:
    for told in acknowledged:
        assert told["what"] != "error", told
        one = found[str(told["id"])]
        if told["what"] == "committed":
            assert one.state is ReservationState.COMMITTED
            assert one.steps_charged == told["steps"]
        elif told["what"] == "bounded":
            assert one.steps_bound >= int(str(told["steps"]))
        elif told["what"] == "released":
            assert one.state is ReservationState.RELEASED
        if told.get("answer"):
            kept = await store.stored_answer(
                RequestId(one.request_id), body_digest=one.body_digest, cache_key=None
            )
            assert kept is not None
            assert kept.content == one.request_id.encode()


async def _balances_are_explained(
    store: SqlLedgerStore, found: dict[str, Reservation]
) -> None:
    """Compare accounts with the journal, and with the reservations themselves."""
    told = Told()
    for chained in await journal(store):
        told.add(chained.entry)
        assert told.within_limits(), f"overspent at entry {chained.sequence}"
        if chained.entry.kind is EntryKind.RESERVED:
            assert str(chained.entry.request_id) in found
    lifetime, held = _sums(found)
    for name in told.accounts:
        account = await store.get_account(AccountName(name))
        assert Balance.of(account) == told.balance(name)
        assert account.lifetime_units == lifetime[name]
        assert account.reserved_units == held[name]
        assert _is_conserved(account)


def _sums(found: dict[str, Reservation]) -> tuple[Counter[str], Counter[str]]:
    lifetime: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for one in found.values():
        for charge in one.charges:
            lifetime[charge.account] += one.charged_units(charge)
            held[charge.account] += one.held_units(charge)
    return lifetime, held


def _is_conserved(account: Account) -> bool:
    parts = account.spent_units + account.reserved_units + account.free_units
    return account.free_units >= 0 and parts == account.limit_units


async def _settle_all(store: SqlLedgerStore, routers: int) -> None:
    """Bring the routers up a last time: nothing stays held."""
    for number in range(routers):
        await store.settle_orphans(Owner(f"router-{number}", "last"))
    for name in (WARD.name, *USERS):
        assert (await store.get_account(name)).reserved_units == 0
    await assert_chained(store)
