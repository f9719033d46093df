"""Synthesis jobs in PostgreSQL: the same promises, on a server of our own."""

import pytest

from tests.support.postgres_cluster import PostgresCluster
from tests.support.synthesis_store_conformance import SynthesisStoreConformance


class TestPostgresJobs(SynthesisStoreConformance):
    """Where several routers share a ledger."""

    __test__ = True

    @pytest.fixture
    def url(self, cluster: PostgresCluster) -> str:
        """Return the address of an empty schema."""
        return cluster.new_user()
