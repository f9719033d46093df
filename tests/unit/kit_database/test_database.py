"""The database's door on SQLite: durable, private, bounded, one kind of failure."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from federated_router.kit.database import Database
from federated_router.kit.errors import FieldInvalid, StoreUnavailable

FIRST = """
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE notes (note INTEGER PRIMARY KEY)")
"""
SECOND = """
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("ALTER TABLE notes ADD COLUMN colour TEXT")
"""


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    """Return a directory with one revision."""
    directory = tmp_path / "notes" / "migrations"
    directory.mkdir(parents=True)
    (directory / "v0001_notes.py").write_text(FIRST)
    return directory


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return an address in a directory that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/state/notes.sqlite3"


@pytest.fixture
async def database(url: str, revisions: Path) -> AsyncIterator[Database]:
    """Return an open database with the table `notes`."""
    opened = await Database.open(url, migrations=revisions, timeout_s=60.0)
    yield opened
    await opened.close()


async def notes(database: Database) -> list[int]:
    """Return every note in the database, in order."""
    async with database.read("notes") as connection:
        rows = await connection.execute(text("SELECT note FROM notes ORDER BY note"))
        return list(rows.scalars())


def insert(note: int) -> str:
    """Return the statement that stores one note."""
    return " ".join(("INSERT INTO notes (note) VALUES (", str(note), ")"))


async def test_committed_rows_are_there_after_reopening(
    database: Database, url: str, revisions: Path
) -> None:
    """A commit is a promise beyond the life of the process."""
    async with database.transaction("add") as connection:
        await connection.exec_driver_sql(insert(1))
    await database.close()

    reopened = await Database.open(url, migrations=revisions)

    assert await notes(reopened) == [1]
    await reopened.close()


async def test_failed_body_leaves_nothing_behind(database: Database) -> None:
    """A transaction is all or nothing, and the body's own error passes unchanged."""

    async def failing() -> None:
        async with database.transaction("add") as connection:
            await connection.exec_driver_sql(insert(1))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await failing()

    assert await notes(database) == []


async def test_file_and_directory_belong_to_their_owner_only(
    database: Database, tmp_path: Path
) -> None:
    """Ledgers and rosters are nobody else's to read, siblings of the file included."""
    async with database.transaction("add") as connection:
        await connection.exec_driver_sql(insert(1))

    state = tmp_path / "state"

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert len(list(state.iterdir())) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in state.iterdir()} == {0o600}


async def test_settings_are_those_of_a_durable_store(database: Database) -> None:
    """WAL with FULL keeps an acknowledged commit through a power loss."""
    settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

    async with database.transaction("settings") as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in settings
        }

    assert found == settings


async def test_reader_cannot_write(database: Database) -> None:
    """A read that writes would do so without the writer's lock."""
    with pytest.raises(StoreUnavailable):
        async with database.read("add") as connection:
            await connection.exec_driver_sql(insert(1))

    assert await notes(database) == []


async def test_writers_take_turns_and_none_is_lost(database: Database) -> None:
    """Sixty-four writers at once all commit: no lock upgrade can fail."""

    async def increment() -> None:
        async with database.transaction("add") as connection:
            rows = await connection.exec_driver_sql("SELECT count(*) FROM notes")
            await connection.exec_driver_sql(insert(int(rows.scalar() or 0)))

    await asyncio.gather(*(increment() for _ in range(64)))

    assert await notes(database) == list(range(64))


async def test_readers_see_a_consistent_view_beside_a_writer(
    database: Database,
) -> None:
    """A reader is neither blocked by a writer nor shown half of its work."""
    async with database.transaction("add") as connection:
        await connection.exec_driver_sql(insert(1))

        seen_meanwhile = await notes(database)

    assert seen_meanwhile == []
    assert await notes(database) == [1]


async def test_lock_held_elsewhere_ends_in_one_error_without_detail(
    url: str, revisions: Path, tmp_path: Path
) -> None:
    """A wait is bounded, and what the driver said stays in the log."""
    database = await Database.open(url, migrations=revisions, timeout_s=0.1)
    other = sqlite3.connect(tmp_path / "state" / "notes.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable) as caught:
        async with database.transaction("add"):
            pass

    assert "locked" not in caught.value.message
    assert caught.value.metadata == {"transaction": "add"}
    other.close()
    await database.close()


async def test_waiting_for_the_writer_inside_this_process_is_bounded(
    url: str, revisions: Path
) -> None:
    """A stuck transaction fails those that wait for it; it cannot hold them forever."""
    database = await Database.open(url, migrations=revisions, timeout_s=0.5)

    with pytest.raises(StoreUnavailable):
        async with database.transaction("outer"), database.transaction("inner"):
            pass

    async with database.transaction("next") as connection:
        await connection.exec_driver_sql(insert(1))
    assert await notes(database) == [1]
    await database.close()


async def test_cancelled_transaction_rolls_back_and_frees_the_writer(
    database: Database,
) -> None:
    """A caller that hangs up leaves neither rows nor a lock."""
    begun = asyncio.Event()

    async def stuck() -> None:
        async with database.transaction("add") as connection:
            await connection.exec_driver_sql(insert(1))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])

    async with database.transaction("add") as connection:
        await connection.exec_driver_sql(insert(2))
    assert await notes(database) == [2]


async def test_broken_constraint_is_an_answer_and_not_an_outage(
    database: Database,
) -> None:
    """A store may want to say 'exists already', so IntegrityError passes."""

    def add(connection: Connection) -> None:
        connection.exec_driver_sql(insert(1))

    await database.write("add", add)

    with pytest.raises(IntegrityError):
        await database.write("add", add)


async def test_unreadable_file_fails_closed(revisions: Path) -> None:
    """A file that is no database is refused at the door."""
    no_database = revisions / "v0001_notes.py"

    with pytest.raises(StoreUnavailable):
        await Database.open(f"sqlite+aiosqlite:///{no_database}", migrations=revisions)


async def test_every_transaction_is_observed_by_its_name(
    url: str, revisions: Path
) -> None:
    """Durations of failed transactions count too: they are the slow ones."""
    seen: list[tuple[str, bool]] = []
    database = await Database.open(
        url,
        migrations=revisions,
        observe=lambda name, duration_s: seen.append((name, duration_s > 0)),
    )

    await notes(database)
    with pytest.raises(StoreUnavailable):
        async with database.transaction("bad") as connection:
            await connection.exec_driver_sql("SELECT * FROM missing")

    assert seen == [("notes", True), ("bad", True)]
    await database.close()


async def test_new_revision_is_applied_to_an_old_database(
    database: Database, url: str, revisions: Path
) -> None:
    """An upgrade keeps the rows and adds what is new."""
    async with database.transaction("add") as connection:
        await connection.exec_driver_sql(insert(1))
    (revisions / "v0002_colour.py").write_text(SECOND)

    upgraded = await Database.open(url, migrations=revisions)

    async with upgraded.read("colours") as connection:
        rows = await connection.exec_driver_sql("SELECT note, colour FROM notes")
        assert [tuple(row) for row in rows] == [(1, None)]
    await upgraded.close()


async def test_database_of_newer_code_is_refused(url: str, revisions: Path) -> None:
    """Old code on a new schema could break rules that it does not know."""
    newer = revisions / "v0002_colour.py"
    newer.write_text(SECOND)
    await (await Database.open(url, migrations=revisions)).close()
    newer.unlink()

    with pytest.raises(StoreUnavailable, match="newer version") as caught:
        await Database.open(url, migrations=revisions)

    assert caught.value.metadata == {"schema_revision": "0002"}


async def test_failed_revision_leaves_the_old_schema(
    database: Database, url: str, revisions: Path
) -> None:
    """Revisions are one transaction: half an upgrade does not exist."""
    broken = SECOND + '    op.execute("CREATE NONSENSE")\n'
    (revisions / "v0002_colour.py").write_text(broken)

    with pytest.raises(StoreUnavailable):
        await Database.open(url, migrations=revisions)

    async with database.read("columns") as connection:
        rows = await connection.exec_driver_sql("PRAGMA table_info(notes)")
        assert [row.name for row in rows] == ["note"]


async def test_daemons_that_open_together_migrate_once(
    url: str, revisions: Path
) -> None:
    """Those that come second find the schema made."""
    opened = await asyncio.gather(
        *(Database.open(url, migrations=revisions) for _ in range(4))
    )

    assert [await notes(database) for database in opened] == [[], [], [], []]
    for database in opened:
        await database.close()


@pytest.mark.parametrize(
    "address",
    ["sqlite://", "sqlite+aiosqlite://", "mysql://host/db", "nonsense", ""],
)
async def test_other_databases_are_refused(address: str, revisions: Path) -> None:
    """Only the two that keep the promises may hold a ledger."""
    with pytest.raises(FieldInvalid, match="sqlite"):
        await Database.open(address, migrations=revisions)
