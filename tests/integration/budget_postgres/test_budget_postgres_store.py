"""The ledger on PostgreSQL keeps the promises of the port, also for several routers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError

from federated_router.budget.reservation import Owner, RequestId
from federated_router.budget.sql.batch import BatchPoint
from federated_router.budget.sql.store import MIGRATIONS, SqlLedgerStore
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from federated_router.kit.errors import BudgetExhausted, Internal, StoreUnavailable
from tests.support.ledger_conformance import LedgerConformance
from tests.support.ledger_records_conformance import SIGNER
from tests.support.ledger_upgrade import LedgerUpgrade
from tests.support.ledger_world import (
    DATASET,
    NOON_S,
    USER,
    Balance,
    assert_chained,
    balance,
    balances_told_by,
    journal,
    request,
    terms,
)
from tests.support.postgres_cluster import PostgresCluster

ROUTERS = 4


@pytest.fixture
def url(cluster: PostgresCluster) -> str:
    """Return the address of an empty schema."""
    return cluster.new_user()


@pytest.fixture
async def routers(url: str) -> AsyncIterator[list[SqlLedgerStore]]:
    """Return the stores of several routers that opened one database together."""
    clock = ManualClock(NOON_S)
    opened = await asyncio.gather(
        *(SqlLedgerStore.open(url, clock=clock, timeout_s=30.0) for _ in range(ROUTERS))
    )
    yield list(opened)
    for store in opened:
        await store.close()


class TestPostgresLedgerStore(LedgerConformance):
    """Every promise, on a server."""

    __test__ = True

    @pytest.fixture
    async def store(
        self, clock: ManualClock, url: str
    ) -> AsyncIterator[SqlLedgerStore]:
        """Return an empty ledger."""
        opened = await SqlLedgerStore.open(url, clock=clock, timeout_s=30.0)
        yield opened
        await opened.close()


class TestPostgresLedgerUpgrade(LedgerUpgrade):
    """A schema of the first revision."""

    __test__ = True


async def test_routers_that_race_for_the_last_units_share_them(
    routers: list[SqlLedgerStore],
) -> None:
    """Conflicts are tried again, and nobody overspends the other's budget."""
    await routers[0].create_account(terms(limit_units=20))

    answers = await asyncio.gather(
        *(
            routers[number % ROUTERS].reserve(
                request(f"r{number}", charges=((DATASET, 1),), steps_max=1)
            )
            for number in range(64)
        ),
        return_exceptions=True,
    )

    refused = [one for one in answers if isinstance(one, BudgetExhausted)]
    others = [
        one
        for one in answers
        if isinstance(one, Exception) and not isinstance(one, BudgetExhausted)
    ]
    assert others == []
    assert len(refused) == 44
    assert await balance(routers[1]) == Balance(0, 20, 0)


async def test_one_request_at_several_routers_is_held_once(
    routers: list[SqlLedgerStore],
) -> None:
    """A client that tries everywhere at once is charged once."""
    await routers[0].create_account(terms())

    answers = await asyncio.gather(
        *(store.reserve(request()) for store in routers for _ in range(4))
    )

    opened = [one for one in answers if one.outcome is ReserveOutcome.OPENED]
    assert len(opened) == 1
    assert await balance(routers[0]) == Balance(0, 200, 0)


async def test_routers_that_create_one_account_together_create_one(
    routers: list[SqlLedgerStore],
) -> None:
    """Deployments start several routers at once."""
    created = await asyncio.gather(
        *(store.create_account(terms()) for store in routers)
    )

    assert len(set(created)) == 1
    assert len(await journal(routers[0])) == 1


async def test_expiry_and_commit_at_the_same_time_settle_once(
    routers: list[SqlLedgerStore],
) -> None:
    """Whoever comes first settles; the account moves once."""
    await routers[0].create_account(terms(limit_units=8000))
    await routers[0].create_account(terms(USER, limit_units=8000))
    owner = Owner("router-1", "boot-1")
    for number in range(20):
        await routers[0].reserve(
            request(f"r{number}", charges=((USER, 1), (DATASET, 2)))
        )

    await asyncio.gather(
        routers[1].settle_orphans(Owner("router-1", "boot-2")),
        *(
            routers[number % ROUTERS].commit(
                RequestId(f"r{number}"), owner=owner, steps=1
            )
            for number in range(20)
        ),
        return_exceptions=True,
    )

    told = balances_told_by(await journal(routers[0]))
    assert told[DATASET] == await balance(routers[0], DATASET)
    assert told[USER] == await balance(routers[0], USER)
    assert told[DATASET].reserved_units == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_accounts SET reserved_units = limit_units + 1",
        "UPDATE ledger_accounts SET lifetime_units = lifetime_cap_units + 1",
        "UPDATE ledger_reservations SET state = 'released'",
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
        "TRUNCATE ledger_events",
    ],
)
async def test_server_refuses_what_the_rules_would_never_do(
    url: str, statement: str
) -> None:
    """The schema guards the promises on PostgreSQL as it does on SQLite."""
    store = await SqlLedgerStore.open(url, clock=ManualClock(NOON_S))
    await store.create_account(terms(lifetime_cap_units=5000))
    await store.reserve(request())
    await store.checkpoint(SIGNER)
    await store.close()
    database = await Database.open(url, migrations=MIGRATIONS)

    with pytest.raises((IntegrityError, StoreUnavailable)):
        await database.write("defect", lambda rows: rows.exec_driver_sql(statement))

    await database.close()


async def test_absent_server_fails_closed() -> None:
    """Without the ledger nothing private is served."""
    url = "postgresql+psycopg://ledger@/ledger?host=/nonexistent"

    with pytest.raises(StoreUnavailable) as caught:
        await SqlLedgerStore.open(url, clock=ManualClock(NOON_S))

    assert "nonexistent" not in caught.value.message


async def test_connection_lost_between_two_writes_leaves_nothing(
    url: str, cluster: PostgresCluster
) -> None:
    """The server takes back what a batch had written; the next batch is whole."""
    losing = [BatchPoint.WRITTEN]

    def lose(point: BatchPoint) -> None:
        if point in losing:
            losing.clear()
            with cluster.connect() as operator:
                operator.execute(
                    "SELECT pg_terminate_backend(pid, 10000) "
                    "FROM pg_stat_activity WHERE usename = %s",
                    (make_url(url).username,),
                )

    store = await SqlLedgerStore.open(
        url, clock=ManualClock(NOON_S), observe_batch=lose
    )

    told = await asyncio.gather(
        *(store.create_account(terms(name)) for name in (DATASET, USER)),
        return_exceptions=True,
    )
    await store.create_account(terms())

    assert [type(one) for one in told] == [StoreUnavailable] * 2
    assert told[0] is not told[1]
    assert [one.sequence for one in await journal(store)] == [1]
    await assert_chained(store)
    await store.close()


async def test_text_that_the_server_cannot_hold_is_its_callers_alone(
    routers: list[SqlLedgerStore],
) -> None:
    """PostgreSQL has no NUL; who sends one fails, and no neighbour."""
    store = routers[0]
    await store.create_account(terms())

    told = await asyncio.gather(
        *(store.reserve(request(one)) for one in ("r1", "nul \0", "r2")),
        return_exceptions=True,
    )

    assert isinstance(told[1], Internal)
    assert await balance(store) == Balance(0, 400, 0)
    await assert_chained(store)


async def test_lost_connections_fail_once_and_are_made_again(
    url: str, cluster: PostgresCluster
) -> None:
    """A server that restarts costs a call, not the router."""
    store = await SqlLedgerStore.open(url, clock=ManualClock(NOON_S))
    await store.create_account(terms())
    with cluster.connect() as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid, 10000) "
            "FROM pg_stat_activity WHERE usename = %s",
            (make_url(url).username,),
        )

    with pytest.raises(StoreUnavailable):
        await store.reserve(request())
    answer = await store.reserve(request())

    assert answer.outcome is ReserveOutcome.OPENED
    await store.close()
