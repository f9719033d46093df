"""A conductor with an account, on files in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.charging_world import COST, ChargingWorld


@pytest.fixture
async def world(directory: Path) -> AsyncIterator[ChargingWorld]:
    """Start a conductor whose account bears three rounds and a half."""
    made = await ChargingWorld.open(directory)
    await made.grant(3 * COST + COST // 2)
    await made.live()
    yield made
    await made.database.close()
