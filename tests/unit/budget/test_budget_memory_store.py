"""The ledger in memory keeps the promises of the port."""

import pytest

from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.ledger_conformance import LedgerConformance


class TestMemoryLedgerStore(LedgerConformance):
    """Every promise, on dictionaries."""

    __test__ = True

    @pytest.fixture
    def store(self, clock: ManualClock) -> MemoryLedgerStore:
        """Return an empty ledger."""
        return MemoryLedgerStore(clock=clock)
