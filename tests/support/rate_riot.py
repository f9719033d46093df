"""Several routers' processes that spend one tenant's rate, and what they may spend."""

import asyncio
import sys
import time

from federated_router.admission.store import SqlBucketStore
from federated_router.kit.clock import SystemClock

PER_MINUTE = 600
DURATION_S = 4.0
CRASHES = ("stay", "crash", "stay")


async def riot(url: str) -> tuple[int, float]:
    """Run three processes, one of which dies; return what was let in, and the most.

    The most is what a full bucket holds and what came back while anybody ran.
    """
    # One makes the table, so that the others do not wait for each other.
    store = await SqlBucketStore.open(url, clock=SystemClock(), timeout_s=30.0)
    await store.close()
    started_s = time.monotonic()
    routers = [await _router(url, crash) for crash in CRASHES]
    told = await asyncio.gather(*(router.communicate() for router in routers))
    passed_s = time.monotonic() - started_s
    let_in = sum(output.count(b"in\n") for output, _ in told)
    return let_in, PER_MINUTE + PER_MINUTE * passed_s / 60


async def _router(url: str, crash: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.rate_spender"),
        *(url, str(PER_MINUTE), str(DURATION_S), crash),
        stdout=asyncio.subprocess.PIPE,
    )
