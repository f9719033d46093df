"""The database's door on PostgreSQL: conflicts tried again, waits bounded."""

import asyncio
import threading
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection

from federated_router.kit.database import Database
from federated_router.kit.errors import StoreUnavailable
from tests.support.postgres_cluster import PostgresCluster

REVISION = """
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE counters (number BIGINT)")
    op.execute("INSERT INTO counters VALUES (0)")
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with one revision."""
    migrations = tmp_path / "counters" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "v0001_counters.py").write_text(REVISION)
    return migrations


@pytest.fixture
async def processes(
    cluster: PostgresCluster, directory: Path
) -> AsyncIterator[list[Database]]:
    """Return two databases on one address, opened at the same time."""
    url = cluster.new_user()
    opened = await asyncio.gather(
        *(Database.open(url, migrations=directory, timeout_s=60.0) for _ in range(2))
    )
    yield list(opened)
    for database in opened:
        await database.close()


def value(connection: Connection) -> int:
    """Return the counter."""
    rows = connection.exec_driver_sql("SELECT number FROM counters")
    return int(rows.scalar_one())


async def test_conflicting_writes_are_run_again(processes: list[Database]) -> None:
    """Read, add, write: none of forty increments by two processes is lost."""
    runs = count(1)
    both_have_read = threading.Barrier(2, timeout=30)

    def increment(connection: Connection) -> None:
        number = value(connection) + 1
        if next(runs) <= 2:
            both_have_read.wait()
        connection.exec_driver_sql("UPDATE counters SET number = %s", (number,))

    await asyncio.gather(
        *(processes[n % 2].write("increment", increment) for n in range(40))
    )

    async with processes[0].read("value") as connection:
        assert await connection.run_sync(value) == 40
    assert next(runs) > 41


async def test_conflict_in_a_body_that_cannot_run_again_is_told(
    processes: list[Database],
) -> None:
    """An awaited transaction fails instead of overwriting what it did not see."""
    change = "UPDATE counters SET number = number + 1"

    async def overtaken() -> None:
        async with processes[0].transaction("slow") as connection:
            await connection.run_sync(value)
            await processes[1].write("fast", lambda one: one.exec_driver_sql(change))
            await connection.exec_driver_sql(change)

    with pytest.raises(StoreUnavailable):
        await overtaken()


async def test_reader_cannot_write(processes: list[Database]) -> None:
    """The server itself refuses a write in a read."""
    with pytest.raises(StoreUnavailable):
        async with processes[0].read("write") as connection:
            await connection.exec_driver_sql("UPDATE counters SET number = 1")


async def test_store_sets_parameters_of_its_connections(
    cluster: PostgresCluster, directory: Path
) -> None:
    """Writers and readers plan alike, and the limits stay."""
    database = await Database.open(
        cluster.new_user(),
        migrations=directory,
        timeout_s=7.0,
        server_settings={"jit": "off", "enable_seqscan": "off"},
    )

    def told(connection: Connection) -> list[str]:
        names = ("jit", "enable_seqscan", "statement_timeout")
        rows = (connection.exec_driver_sql(f"SHOW {name}") for name in names)
        return [str(one.scalar_one()) for one in rows]

    written = await database.write("show", told)
    async with database.read("show") as connection:
        read = await connection.run_sync(told)

    assert written == read == ["off", "off", "7s"]
    await database.close()


async def test_wait_for_a_row_is_bounded(
    cluster: PostgresCluster, directory: Path
) -> None:
    """A lock that somebody keeps costs its time-out, and not the daemon."""
    url = cluster.new_user()
    holder = await Database.open(url, migrations=directory, timeout_s=10.0)
    waiter = await Database.open(url, migrations=directory, timeout_s=0.3)
    change = "UPDATE counters SET number = number + 1"

    async with holder.transaction("hold") as connection:
        await connection.exec_driver_sql(change)
        with pytest.raises(StoreUnavailable):
            await waiter.write("wait", lambda one: one.exec_driver_sql(change))

    await waiter.write("next", lambda one: one.exec_driver_sql(change))
    await holder.close()
    await waiter.close()


async def test_secret_of_the_address_is_in_no_error(
    cluster: PostgresCluster, directory: Path
) -> None:
    """A password in a URL must not come out through a failure."""
    url = f"postgresql+psycopg://nobody:s3cret@/missing?host={cluster.directory}"

    with pytest.raises(StoreUnavailable) as caught:
        await Database.open(url, migrations=directory)

    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"
