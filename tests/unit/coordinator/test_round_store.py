"""Rounds in SQLite, and the schema that the migrations leave."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from coordinator import schema
from coordinator.app import MIGRATIONS
from coordinator.rounds import rows
from federated_router.kit.database import Database
from tests.support import round_script as script
from tests.support.round_store_conformance import RoundStoreConformance


@pytest.fixture
def url(directory: Path) -> str:
    """Return an address of no file yet."""
    return f"sqlite+aiosqlite:///{directory}/rounds.sqlite"


class TestRoundStoreOnSqlite(RoundStoreConformance):
    """The default."""

    __test__ = True


async def test_migrations_leave_the_schema_that_statements_are_written_for(
    url: str,
) -> None:
    """Tables and columns are stated twice, once with their history."""
    database = await Database.open(url, migrations=MIGRATIONS)

    def columns(connection: Connection) -> dict[str, dict[str, bool]]:
        found = inspect(connection)
        return {
            table: {
                column["name"]: bool(column["nullable"])
                for column in found.get_columns(table)
            }
            for table in found.get_table_names()
            if not table.endswith("_schema_version")
        }

    async with database.read("columns") as connection:
        migrated = await connection.run_sync(columns)
    await database.close()

    stated = {
        name: {column.name: bool(column.nullable) for column in table.columns}
        for name, table in schema.metadata.tables.items()
    }
    assert migrated == stated


def test_terms_of_rounds_before_cohorts_are_read_as_one_cohort() -> None:
    """A store is migrated, not abandoned: its rounds are listed and shown."""
    stored = json.loads(rows.terms_to_json(script.TERMS))
    del stored["durations"]["checking_s"]
    for name in ("cohort_size", "cohort_survivors_min", "cohort_colluders_max"):
        del stored[name]
    stored["sensitivity_squared"] = 1

    found = rows.terms_from_json(json.dumps(stored))

    assert found.cohort_size == 0
    assert found.catalogue == script.TERMS.catalogue
    assert replace(found.durations, checking_s=10) == script.TERMS.durations
