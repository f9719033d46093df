"""Routers that share a ledger and are killed at random overspend and lose nothing."""

from pathlib import Path

import pytest

from tests.support.ledger_inquest import riot_and_inquest
from tests.support.postgres_cluster import PostgresCluster

ROUTERS = 3
LIVES = 3
ACKNOWLEDGED_MIN = 60


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty ledger on either database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3"
    cluster: PostgresCluster = request.getfixturevalue("cluster")
    return cluster.new_user()


async def test_killed_routers_overspend_nothing_and_lose_no_charge(
    url: str, tmp_path: Path
) -> None:
    """The journal is whole and explains every balance; LEDGER_SEED repeats a run."""
    acknowledged = await riot_and_inquest(
        url, tmp_path, routers=ROUTERS, lives=LIVES, timeout_s=280
    )

    assert acknowledged >= ACKNOWLEDGED_MIN
