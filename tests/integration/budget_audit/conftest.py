"""One PostgreSQL server for these tests, and addresses of empty ledgers."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.kit.clock import ManualClock
from tests.support.audit_world import NOON_S, signer
from tests.support.postgres_cluster import (
    PostgresCluster,
    postgres_binaries,
    running_cluster,
)

NewUrl = Callable[[str], str]


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresCluster]:
    """Return a running server; skip only where PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL (initdb, postgres) is not installed here.")
    with running_cluster(binaries) as running:
        yield running


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Return what makes addresses of empty ledgers on the named database."""
    numbers = count(1)

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite+aiosqlite:///{tmp_path}/ledger-{next(numbers)}.sqlite3"
        running: PostgresCluster = request.getfixturevalue("cluster")
        return running.new_user()

    return make


@pytest.fixture
def clock() -> ManualClock:
    """Return the time of the ledgers."""
    return ManualClock(NOON_S)


@pytest.fixture
def key() -> CheckpointSigner:
    """Return the router's key."""
    return signer()
