"""Buckets in memory and in SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federated_router.admission.port import MemoryBucketStore
from federated_router.admission.store import SqlBucketStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import StoreUnavailable
from tests.support.bucket_store_conformance import (
    REQUESTS,
    BucketStoreConformance,
    wants,
)


class TestMemoryBuckets(BucketStoreConformance):
    """One process: both routers of these tests are the same."""

    __test__ = True

    @pytest.fixture
    def store(self) -> MemoryBucketStore:
        """Return an empty store."""
        return MemoryBucketStore(ManualClock())

    @pytest.fixture
    def other(self, store: MemoryBucketStore) -> MemoryBucketStore:
        """Return the same store."""
        return store


class TestSqliteBuckets(BucketStoreConformance):
    """Two routers of one machine on one file."""

    __test__ = True

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return where the table lies."""
        return f"sqlite+aiosqlite:///{tmp_path / 'rates.sqlite'}"

    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[SqlBucketStore]:
        """Open one router's store."""
        store = await SqlBucketStore.open(url, clock=ManualClock(), timeout_s=10.0)
        yield store
        await store.close()

    @pytest.fixture
    async def other(
        self, url: str, store: SqlBucketStore
    ) -> AsyncIterator[SqlBucketStore]:
        """Open the other router's store, after the table was made."""
        assert store is not None
        other = await SqlBucketStore.open(url, clock=ManualClock(), timeout_s=10.0)
        yield other
        await other.close()


async def test_full_buckets_are_deleted(tmp_path: Path) -> None:
    """The table does not grow with all who ever asked."""
    clock = ManualClock()
    url = f"sqlite+aiosqlite:///{tmp_path / 'rates.sqlite'}"
    store = await SqlBucketStore.open(url, clock=clock, timeout_s=10.0)
    await store.take("alice", wants(60, 600))

    await clock.advance(61)

    assert await store.delete_full() == 2
    await store.close()


async def test_a_table_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """A router with rates and without their table does not start."""
    url = f"sqlite+aiosqlite:///{tmp_path}"

    with pytest.raises(StoreUnavailable):
        await SqlBucketStore.open(url, clock=ManualClock(), timeout_s=1.0)


async def test_memory_forgets_full_buckets() -> None:
    """Nor does memory grow with all who ever asked."""
    clock = ManualClock()
    store = MemoryBucketStore(clock)
    await store.take("alice", wants(1, 1))

    await clock.advance(REQUESTS.burst_s + 1)

    assert await store.delete_full() == 1
    assert store._buckets == {}
