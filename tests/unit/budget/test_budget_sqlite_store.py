"""The ledger on SQLite keeps the promises of the port, and guards them once more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from federated_router.budget.reservation import RequestId
from federated_router.budget.sql.store import MIGRATIONS, SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from federated_router.kit.errors import StoreUnavailable
from tests.support.ledger_conformance import LedgerConformance
from tests.support.ledger_records_conformance import SIGNER
from tests.support.ledger_upgrade import LedgerUpgrade
from tests.support.ledger_world import NOON_S, OWNER, Balance, balance, request, terms


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a ledger that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/ledger/ledger.sqlite3"


class TestSqliteLedgerStore(LedgerConformance):
    """Every promise, on a file."""

    __test__ = True

    @pytest.fixture
    async def store(
        self, clock: ManualClock, url: str
    ) -> AsyncIterator[SqlLedgerStore]:
        """Return an empty ledger."""
        opened = await SqlLedgerStore.open(url, clock=clock)
        yield opened
        await opened.close()


class TestSqliteLedgerUpgrade(LedgerUpgrade):
    """A file of the first revision."""

    __test__ = True


async def test_ledger_reopened_is_the_ledger_that_was(url: str) -> None:
    """What was acknowledged is there for the next process."""
    clock = ManualClock(NOON_S)
    first = await SqlLedgerStore.open(url, clock=clock)
    await first.create_account(terms())
    await first.reserve(request())
    await first.close()

    second = await SqlLedgerStore.open(url, clock=clock)
    await second.commit(RequestId("request-1"), owner=OWNER, steps=3)

    assert await balance(second) == Balance(6, 0, 6)
    await second.close()


async def test_two_processes_on_one_file_share_one_budget(url: str) -> None:
    """A second router does not bring a second budget."""
    clock = ManualClock(NOON_S)
    one = await SqlLedgerStore.open(url, clock=clock)
    two = await SqlLedgerStore.open(url, clock=clock)
    await one.create_account(terms())

    await one.reserve(request("r1"))
    await two.reserve(request("r2"))

    assert await balance(one) == await balance(two) == Balance(0, 400, 0)
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_accounts SET reserved_units = limit_units + 1",
        "UPDATE ledger_accounts SET spent_units = -1",
        "UPDATE ledger_accounts SET lifetime_units = lifetime_cap_units + 1",
        "UPDATE ledger_reservations SET steps_charged = 1",
        "UPDATE ledger_reservations SET steps_bound = 0",
        "UPDATE ledger_reservations SET steps_bound = steps_max + 1",
        "UPDATE ledger_reservations SET state = 'released'",
        """UPDATE ledger_reservations SET steps_charged = 8, steps_bound = 7,
           state = 'committed', settled_time_s = 0""",
        """UPDATE ledger_reservations SET steps_charged = 6, steps_bound = 7,
           state = 'expired', settled_time_s = 0""",
        "UPDATE ledger_reservations SET state = 'forgiven'",
        "DELETE FROM ledger_accounts",
        "UPDATE ledger_accounts SET rdp_order = 1",
        "UPDATE ledger_accounts SET block_scheme = 'record'",
        "UPDATE ledger_accounts SET block_count = 1",
        "UPDATE ledger_chain SET only_row = 2",
        "UPDATE ledger_chain SET ledger_id = hash",
        "INSERT INTO ledger_chain SELECT * FROM ledger_chain",
        "UPDATE ledger_checkpoints SET time_us = 0",
        "DELETE FROM ledger_checkpoints",
        "UPDATE ledger_events SET detail = ''",
        "DELETE FROM ledger_events",
    ],
)
async def test_schema_refuses_what_the_rules_would_never_do(
    url: str, statement: str
) -> None:
    """A defect above the schema fails a transaction, and never a promise."""
    store = await SqlLedgerStore.open(url, clock=ManualClock(NOON_S))
    await store.create_account(terms(lifetime_cap_units=5000))
    await store.reserve(request())
    await store.checkpoint(SIGNER)
    await store.close()
    database = await Database.open(url, migrations=MIGRATIONS)

    with pytest.raises((IntegrityError, StoreUnavailable)):
        await database.write("defect", lambda rows: rows.exec_driver_sql(statement))

    await database.close()
