"""A coordinator's store with a few rounds in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coordinator.app import MIGRATIONS
from federated_router.kit.database import Database
from tests.support.report_store_conformance import insert_rounds


@pytest.fixture
async def database(directory: Path) -> AsyncIterator[Database]:
    """Return a migrated store in which some rounds were published."""
    url = f"sqlite+aiosqlite:///{directory}/rounds.sqlite"
    opened = await Database.open(url, migrations=MIGRATIONS)
    await opened.write("rounds", insert_rounds)
    yield opened
    await opened.close()
