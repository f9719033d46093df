"""One ledger with a whole story, exported once: signed at entry 8 and at its end."""

import asyncio

import pytest

from federated_router.budget.audit.format import read_line
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.audit_world import NOON_S, documents, export_lines, signer, story


@pytest.fixture(scope="session")
def key() -> CheckpointSigner:
    """Return the router's key."""
    return signer()


@pytest.fixture(scope="session")
def lines(key: CheckpointSigner) -> list[bytes]:
    """Return the export."""

    async def told() -> list[bytes]:
        clock = ManualClock(NOON_S)
        store = MemoryLedgerStore(clock=clock)
        await story(store, clock, between=lambda: store.checkpoint(key))
        return await export_lines(store, key)

    return asyncio.run(told())


@pytest.fixture
def told(lines: list[bytes]) -> list[dict[str, object]]:
    """Return the lines of the export as JSON, to be changed."""
    return documents(lines)


@pytest.fixture
def early(lines: list[bytes]) -> Checkpoint:
    """Return the first checkpoint of the export, as an outsider kept it."""
    found = [one for one in map(read_line, lines) if isinstance(one, Checkpoint)]
    return found[0]


@pytest.fixture
def late(lines: list[bytes]) -> Checkpoint:
    """Return the last checkpoint of the export."""
    found = [one for one in map(read_line, lines) if isinstance(one, Checkpoint)]
    return found[-1]
