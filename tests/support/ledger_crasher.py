"""A process that dies by SIGKILL at every point of a reserve, a bound and a commit.

Run as `python -m tests.support.ledger_crasher URL`. For each crash point (the store
tells every statement of a batch, and the commit), a forked child opens the ledger,
reserves, bounds and commits the request `point-N` and kills itself on the way. What the
child was told before it died is printed: `N reserved`, `N bounded`, `N committed`;
`N done` ends the last line.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from itertools import count

from federated_router.budget.reservation import RequestId
from federated_router.budget.sql.batch import BatchPoint
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.ledger_world import BOTH, NOON_S, OWNER, request

TOKENS = 7
FIRST = 4


def dying_at(point: int) -> Callable[[BatchPoint], None]:
    """Return an observer that kills the process when it has passed `point` points."""
    passed = count(1)

    def pass_point(_: BatchPoint) -> None:
        if next(passed) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_point


async def live(url: str, point: int) -> None:
    """Reserve, bound and commit, telling what was acknowledged."""
    store = await SqlLedgerStore.open(
        url,
        clock=ManualClock(NOON_S),
        timeout_s=30.0,
        observe_batch=dying_at(point),
    )
    request_id = f"point-{point}"
    await store.reserve(request(request_id, charges=BOTH, steps_bound=FIRST))
    tell(point, "reserved")
    await store.bound(RequestId(request_id), owner=OWNER, steps=TOKENS)
    tell(point, "bounded")
    await store.commit(RequestId(request_id), owner=OWNER, steps=TOKENS)
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
