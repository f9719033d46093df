"""A coordinator's store with a few rounds in it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from coordinator.app import MIGRATIONS
from federated_router.kit.database import Database
from tests.support.report_store_conformance import insert_rounds


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory in memory where there is one: these files are many."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made inside.
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
async def database(directory: Path) -> AsyncIterator[Database]:
    """Return a migrated store in which some rounds were published."""
    url = f"sqlite+aiosqlite:///{directory}/rounds.sqlite"
    opened = await Database.open(url, migrations=MIGRATIONS)
    await opened.write("rounds", insert_rounds)
    yield opened
    await opened.close()
