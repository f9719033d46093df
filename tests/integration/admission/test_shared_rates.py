"""Routers that share a table let in no more together than the tenant's rate."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federated_router.admission.store import SqlBucketStore
from federated_router.kit.clock import SystemClock
from tests.support.bucket_store_conformance import BucketStoreConformance
from tests.support.postgres_cluster import PostgresCluster
from tests.support.rate_riot import PER_MINUTE, riot


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/rates.sqlite3"
    cluster: PostgresCluster = request.getfixturevalue("cluster")
    return cluster.new_user()


async def test_processes_together_keep_to_the_rate_although_one_is_killed(
    url: str,
) -> None:
    """Three processes, one ended by SIGKILL: its slice lapses, and is not spent."""
    let_in, most = await riot(url)

    assert let_in <= most
    assert let_in >= PER_MINUTE * 0.9, "the rate could hardly be used"


class TestPostgresBuckets(BucketStoreConformance):
    """Two routers on one server."""

    __test__ = True

    @pytest.fixture
    def server_url(self, cluster: PostgresCluster) -> str:
        """Return the address of an empty schema."""
        return cluster.new_user()

    @pytest.fixture
    async def store(self, server_url: str) -> AsyncIterator[SqlBucketStore]:
        """Open one router's store."""
        store = await SqlBucketStore.open(
            server_url, clock=SystemClock(), timeout_s=10.0
        )
        yield store
        await store.close()

    @pytest.fixture
    async def other(
        self, server_url: str, store: SqlBucketStore
    ) -> AsyncIterator[SqlBucketStore]:
        """Open the other router's store, after the table was made."""
        assert store is not None
        other = await SqlBucketStore.open(
            server_url, clock=SystemClock(), timeout_s=10.0
        )
        yield other
        await other.close()
