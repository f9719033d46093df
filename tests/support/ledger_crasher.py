"""A process that dies by SIGKILL at every point of a reserve and a commit in turn.

Run as `python -m tests.support.ledger_crasher URL`. For each crash point, counted over
statements, commits and what follows them, a forked child opens the ledger, reserves
and commits the request `point-N` and kills itself on the way. What the child was told
before it died is printed: `N reserved`, `N committed`; `N done` ends the last line.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from sqlalchemy import Connection, event

from federated_router.budget.reservation import RequestId
from federated_router.budget.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.database_writer import DatabaseWriter
from tests.support.ledger_conformance import BOTH, NOON_S
from tests.support.ledger_world import OWNER, request

T = TypeVar("T")
TOKENS = 7


def crash_at(store: SqlLedgerStore, point: int) -> None:
    """Make the store's writer kill the process when it passes `point` points."""
    passed = count(1)
    writer = store._database._thread

    def pass_point(*_: object) -> None:
        if next(passed) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(writer._engine, "before_cursor_execute", pass_point)
    event.listen(writer._engine, "commit", pass_point)
    writer._run = _then(writer, pass_point)  # type: ignore[method-assign, assignment]


def _then(
    writer: DatabaseWriter, pass_point: Callable[[], None]
) -> Callable[[Callable[[Connection], T]], T]:
    committed = writer._run

    def run(work: Callable[[Connection], T]) -> T:
        answer = committed(work)
        pass_point()
        return answer

    return run


async def live(url: str, point: int) -> None:
    """Reserve and commit, telling what was acknowledged."""
    store = await SqlLedgerStore.open(url, clock=ManualClock(NOON_S), timeout_s=30.0)
    crash_at(store, point)
    request_id = f"point-{point}"
    await store.reserve(request(request_id, charges=BOTH))
    tell(point, "reserved")
    await store.commit(RequestId(request_id), owner=OWNER, tokens=TOKENS)
    tell(point, "committed")
    await store.close()


def tell(point: int, word: str) -> None:
    """Say it at once, so that it is heard also from who dies next."""
    sys.stdout.write(f"{point} {word}\n")
    sys.stdout.flush()


def main(url: str) -> None:
    """Let one child after the other die, until one survives."""
    for point in count(1):
        child = os.fork()
        if child == 0:
            asyncio.run(live(url, point))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            tell(point, "done")
            return
        if not os.WIFSIGNALED(status):
            raise RuntimeError(f"the child of point {point} failed: {status}")


if __name__ == "__main__":
    main(sys.argv[1])
