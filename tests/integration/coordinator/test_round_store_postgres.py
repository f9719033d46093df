"""Rounds and members in PostgreSQL: the same promises, on a server of our own."""

from collections.abc import Iterator

import pytest

from tests.support.member_store_conformance import MemberStoreConformance
from tests.support.postgres_cluster import (
    PostgresCluster,
    postgres_binaries,
    running_cluster,
)
from tests.support.round_store_conformance import RoundStoreConformance


@pytest.fixture(scope="session")
def round_cluster() -> Iterator[PostgresCluster]:
    """Return a running server; skip only where PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed here.")
    with running_cluster(binaries) as running:
        yield running


class TestRoundStoreOnPostgres(RoundStoreConformance):
    """For those who run it anyway."""

    __test__ = True

    @pytest.fixture
    def url(self, round_cluster: PostgresCluster) -> str:
        """Return the address of an empty schema."""
        return round_cluster.new_user()


class TestMemberStoreOnPostgres(MemberStoreConformance):
    """The same for members."""

    __test__ = True

    @pytest.fixture
    def url(self, round_cluster: PostgresCluster) -> str:
        """Return the address of an empty schema."""
        return round_cluster.new_user()
