"""Stops a coordinator in a state of a round by the lock that it needs to go on.

Some states last milliseconds. Whoever holds the store's write lock while the store
says SUMMING knows that the coordinator is in SUMMING until the lock is given back, and
may kill it there without luck.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ENDED = ("published", "rejected", "aborted")


class Turnstile:
    """The write lock of a coordinator's store, taken at the right moment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def catch(self, round_name: str, state: str, *, within_s: float = 40.0) -> bool:
        """Return once the round is held in `state`, or False if it has ended.

        Looks as often as the machine allows; call it in a thread.
        """
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            now = self._state(round_name)
            if now in ENDED:
                return False
            if now == state:
                self._database.execute("BEGIN IMMEDIATE")
                if self._state(round_name) == state:
                    return True
                self.release()
        raise AssertionError(f"'{round_name}' neither reached '{state}' nor ended.")

    def release(self) -> None:
        """Let the coordinator, or its successor, go on."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _state(self, round_name: str) -> str:
        row = self._database.execute(
            "SELECT state FROM rounds WHERE name = ?", (round_name,)
        ).fetchone()
        return str(row[0]) if row else ""


@contextmanager
def turnstile(store: Path) -> Iterator[Turnstile]:
    """Open a turnstile at a store, and leave it open for everybody at the end."""
    with closing(
        sqlite3.connect(store, isolation_level=None, timeout=5, check_same_thread=False)
    ) as database:
        made = Turnstile(database)
        try:
            yield made
        finally:
            made.release()
