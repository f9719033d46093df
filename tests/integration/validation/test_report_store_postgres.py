"""Reports and conduct in PostgreSQL: the same promises."""

from collections.abc import Iterator

import pytest

from tests.support.postgres_cluster import (
    PostgresCluster,
    postgres_binaries,
    running_cluster,
)
from tests.support.report_store_conformance import ReportStoreConformance


@pytest.fixture(scope="module")
def report_cluster() -> Iterator[PostgresCluster]:
    """Return a running server; skip only where PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed here.")
    with running_cluster(binaries) as running:
        yield running


class TestReportStoreOnPostgres(ReportStoreConformance):
    """For those who run it anyway."""

    __test__ = True

    @pytest.fixture
    def url(self, report_cluster: PostgresCluster) -> str:
        """Return the address of an empty schema."""
        return report_cluster.new_user()
