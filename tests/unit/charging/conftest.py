"""A conductor with an account, on files in memory."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.charging_world import COST, ChargingWorld


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory in memory where there is one: these files are many."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made inside.
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
async def world(directory: Path) -> AsyncIterator[ChargingWorld]:
    """Start a conductor whose account bears three rounds and a half."""
    made = await ChargingWorld.open(directory)
    await made.grant(3 * COST + COST // 2)
    await made.live()
    yield made
    await made.database.close()
