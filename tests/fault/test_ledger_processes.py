"""The long riot: many lives of many routers on one ledger, each ended by SIGKILL.

`LEDGER_SEED` repeats a run's decisions; how the processes interleave is the machine's.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ledger_inquest import riot_and_inquest
from tests.support.postgres_cluster import postgres_binaries, running_cluster

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]
ROUTERS = 4
LIVES = 30
TIMEOUT_S = 800.0
ACKNOWLEDGED_MIN = 3000


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of an empty ledger on either database."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite3"
        return
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed here.")
    with running_cluster(binaries) as cluster:
        yield cluster.new_user()


async def test_a_hundred_kills_overspend_nothing_and_lose_no_charge(
    url: str, tmp_path: Path
) -> None:
    """Whatever was acknowledged is there, and every balance can be explained."""
    acknowledged = await riot_and_inquest(
        url, tmp_path, routers=ROUTERS, lives=LIVES, timeout_s=TIMEOUT_S
    )

    assert acknowledged >= ACKNOWLEDGED_MIN
