"""No statement of the ledger reads a whole table that grows with its history."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from federated_router.budget.sql import statements
from federated_router.budget.sql.driver_sql import SQLITE
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.ledger_world import NOON_S

QUESTIONS = [
    "ACCOUNT_PAGE",
    "ANSWER",
    "CACHED_ANSWER",
    "CHECKPOINTS_AFTER",
    "DEAREST",
    "DUE",
    "ENTRIES_AFTER",
    "EXPIRED_ANSWERS",
    "HOLDERS",
    "KEPT_BYTES",
    "NUMBERS_OF_ACCOUNT",
    "ORPHANS",
    "PROPOSAL",
    "SPENDING",
]
"""All but those that read the first or the last rows of a table and stop."""
DRIVEN = [
    "accounts_by_name",
    "chain",
    "delete_answers",
    "delete_proposals",
    "reservations_by_request",
    "save_accounts",
    "save_chain",
    "save_reservations",
]


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Return a connection to an empty ledger."""
    path = tmp_path / "ledger.sqlite3"
    store = await SqlLedgerStore.open(
        f"sqlite+aiosqlite:///{path}", clock=ManualClock(NOON_S)
    )
    await store.close()
    with closing(sqlite3.connect(path)) as opened:
        yield opened


def steps(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return what SQLite would do, step by step."""
    values = [0] * max(statement.count("?"), 10)
    while True:
        try:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        except sqlite3.ProgrammingError:
            values.pop()
        else:
            return [str(row[3]) for row in rows]


def whole_tables(plan: list[str]) -> list[str]:
    """Return the steps that read a table of the ledger without an index."""
    return [
        step
        for step in plan
        if step.startswith("SCAN ledger_") and " USING " not in step
    ]


@pytest.mark.parametrize("name", QUESTIONS)
async def test_question_reads_no_whole_table(
    connection: sqlite3.Connection, name: str
) -> None:
    """A sweep or a refusal costs the same after a year as on the first day."""
    statement: Select[tuple[object, ...]] = getattr(statements, name)
    text = str(statement.compile(dialect=sqlite.dialect()))

    assert whole_tables(steps(connection, text)) == []


@pytest.mark.parametrize("name", DRIVEN)
async def test_statement_of_the_request_path_reads_no_whole_table(
    connection: sqlite3.Connection, name: str
) -> None:
    """What every request pays for does not grow."""
    assert whole_tables(steps(connection, getattr(SQLITE, name))) == []


async def test_holders_are_looked_for_among_what_is_held(
    connection: sqlite3.Connection,
) -> None:
    """A refused request does not read the history of a busy account."""
    text = str(statements.HOLDERS.compile(dialect=sqlite.dialect()))

    assert "USING INDEX ledger_reservations_held" in steps(connection, text)[0]


async def test_missing_index_would_be_noticed(connection: sqlite3.Connection) -> None:
    """The check finds what it looks for."""
    plan = steps(connection, "SELECT event FROM ledger_reservations WHERE cause = ?")

    assert whole_tables(plan) != []
