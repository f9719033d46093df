"""Random histories of the ledger on a server."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from federated_router.budget.port import LedgerStore
from federated_router.budget.sql.store import SqlLedgerStore
from tests.support.ledger_machine import QUICK, LedgerMachine
from tests.support.postgres_cluster import PostgresCluster


def test_random_histories_on_a_server_come_to_what_the_model_says(
    cluster: PostgresCluster,
) -> None:
    """PostgreSQL keeps the same ledger as dictionaries and as a file."""
    written: list[int] = []

    class PostgresMachine(LedgerMachine):
        async def open_store(self) -> LedgerStore:
            url = cluster.new_user()
            self.sql = await SqlLedgerStore.open(url, clock=self.clock, timeout_s=30.0)
            return self.sql

        async def close_store(self) -> None:
            written.append((await self.sql.head()).sequence)
            await self.sql.close()

    run_state_machine_as_test(
        PostgresMachine,
        settings=settings(QUICK, max_examples=4, stateful_step_count=25),
    )

    assert len(written) >= 4
    assert sum(written) > len(written)
