"""One PostgreSQL server for these tests."""

from collections.abc import Iterator

import pytest

from tests.support.postgres_cluster import (
    PostgresCluster,
    postgres_binaries,
    running_cluster,
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """Return a running server; skip only where PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed here.")
    with running_cluster(binaries) as running:
        yield running
