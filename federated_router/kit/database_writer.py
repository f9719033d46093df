"""The thread in which write transactions run, one after the other.

Decides that a whole transaction is one visit to one thread: a driver that is awaited
for each statement costs three times the processor. Refuses to know deadlines and
errors, which `database` bounds and translates.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")


class DatabaseWriter:
    """One thread with one connection, which it keeps until a transaction fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database-writer")

    def submit(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run `work` in a transaction of its own, after those submitted before.

        The future is done after the commit, or the rollback if `work` raised.
        Cancelling it does not stop the transaction.
        """
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._run, work)

    async def close(self) -> None:
        """Wait for what was submitted, then close connection and thread."""
        await asyncio.to_thread(self._thread.shutdown)
        self._let_go()
        self._engine.dispose()

    def _run(self, work: Callable[[Connection], T]) -> T:
        # Kept from one transaction to the next: to fetch it costs as much as to begin.
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            with self._connection.begin():
                return work(self._connection)
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Give the connection back to the pool, which checks what state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
