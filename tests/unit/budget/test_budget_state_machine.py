"""Random histories of the ledger, on dictionaries and on a file."""

import tempfile

from hypothesis import settings

from federated_router.budget.port import LedgerStore
from federated_router.budget.sql.store import SqlLedgerStore
from tests.support.ledger_machine import QUICK, LedgerMachine, MemoryMachine


class SqliteMachine(LedgerMachine):
    """The history on a file."""

    async def open_store(self) -> LedgerStore:
        """Return a ledger in a directory of its own."""
        self.directory = tempfile.TemporaryDirectory()
        url = f"sqlite+aiosqlite:///{self.directory.name}/ledger.sqlite3"
        self.sql = await SqlLedgerStore.open(url, clock=self.clock, timeout_s=30.0)
        return self.sql

    async def close_store(self) -> None:
        """Close the file and remove it."""
        await self.sql.close()
        self.directory.cleanup()


MemoryMachine.TestCase.settings = settings(
    QUICK, max_examples=40, stateful_step_count=40
)
SqliteMachine.TestCase.settings = settings(
    QUICK, max_examples=5, stateful_step_count=30
)
TestMemoryMachine = MemoryMachine.TestCase
TestSqliteMachine = SqliteMachine.TestCase
