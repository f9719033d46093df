"""Write transactions in their thread: whole, in turn, and not tied to who asked."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from federated_router.kit.database import Database
from federated_router.kit.errors import StoreUnavailable

REVISION = """
from alembic import op
revision = "0001"
down_revision = None
def upgrade():
    op.execute("CREATE TABLE notes (note INTEGER PRIMARY KEY)")
"""


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    """Return a directory with one revision."""
    directory = tmp_path / "notes" / "migrations"
    directory.mkdir(parents=True)
    (directory / "v0001_notes.py").write_text(REVISION)
    return directory


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/notes.sqlite3"


@pytest.fixture
async def database(url: str, revisions: Path) -> AsyncIterator[Database]:
    """Return an open database that is patient with a busy machine."""
    opened = await Database.open(url, migrations=revisions, timeout_s=60.0)
    yield opened
    await opened.close()


def count(connection: Connection) -> int:
    """Return how many notes there are."""
    return int(connection.exec_driver_sql("SELECT count(*) FROM notes").scalar_one())


def add(connection: Connection) -> int:
    """Store the next note and return its number."""
    number = count(connection)
    connection.exec_driver_sql("INSERT INTO notes (note) VALUES (?)", (number,))
    return number


async def test_answer_comes_after_the_commit(database: Database) -> None:
    """Whoever has an answer can rely on it."""
    number = await database.write("add", add)

    async with database.read("count") as connection:
        found = await connection.run_sync(count)

    assert (number, found) == (0, 1)


async def test_writes_and_transactions_take_turns(database: Database) -> None:
    """Both doors lead to one writer, so neither meets a locked database."""

    async def transaction() -> int:
        async with database.transaction("add") as connection:
            return await connection.run_sync(add)

    numbers = await asyncio.gather(
        *(database.write("add", add) for _ in range(10)),
        *(transaction() for _ in range(10)),
    )

    assert sorted(numbers) == list(range(20))


async def test_work_that_raises_leaves_nothing(database: Database) -> None:
    """A refusal inside a transaction is a rollback, and passes unchanged."""

    def refuse(connection: Connection) -> None:
        add(connection)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await database.write("refuse", refuse)

    assert await database.write("count", count) == 0


async def test_write_that_takes_too_long_is_given_up_and_not_overtaken(
    database: Database, url: str, revisions: Path
) -> None:
    """Its caller is told that the outcome is unknown; the next waits for its end."""
    hasty = await Database.open(url, migrations=revisions, timeout_s=0.1)
    finish = threading.Event()

    def slow(connection: Connection) -> int:
        finish.wait(30)
        return add(connection)

    with pytest.raises(StoreUnavailable):
        await hasty.write("slow", slow)
    with pytest.raises(StoreUnavailable):
        await hasty.write("behind", add)
    finish.set()
    await hasty.close()

    assert await database.write("next", add) == 1


async def test_caller_that_hangs_up_does_not_break_the_writer(
    database: Database,
) -> None:
    """The transaction ends by itself, once, before the next one begins."""
    begun = threading.Event()
    finish = threading.Event()

    def slow(connection: Connection) -> int:
        begun.set()
        finish.wait(30)
        return add(connection)

    task = asyncio.create_task(database.write("slow", slow))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    finish.set()

    assert await database.write("next", add) == 1
    assert task.cancelled()


async def test_closing_waits_for_the_running_write(database: Database) -> None:
    """Nothing that was begun is cut."""
    running = asyncio.create_task(database.write("add", add))
    await asyncio.sleep(0)

    await database.close()

    assert await running == 0
