"""A router's part of a tenant's rate, in a process of its own.

Run as `python -m tests.support.rate_spender URL PER_MINUTE DURATION_S CRASH`. It lets
in as many requests of 1 token as the shared table allows within the time, and prints
one line for each. With CRASH it ends by SIGKILL in the middle, without giving back.
"""

import asyncio
import os
import signal
import sys
import time

from federated_router.admission.rates import Rates
from federated_router.admission.settings import RateSettings, TenantSettings
from federated_router.admission.store import SqlBucketStore
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import SystemClock
from federated_router.kit.errors import RateLimited

LET_IN_BEFORE_CRASH = 20


async def spend(url: str, per_minute: int, duration_s: float, *, crash: bool) -> None:
    """Spend what there is; say so at once."""
    clock = SystemClock()
    rates = Rates(
        RateSettings(slice_s=0.5),
        tenants=Tenants([TenantSettings(requests_per_minute=per_minute)]),
        store=await SqlBucketStore.open(url, clock=clock, timeout_s=30.0),
        clock=clock,
    )
    ends_s = time.monotonic() + duration_s
    let_in = 0
    while time.monotonic() < ends_s:
        try:
            await rates.charge("alice", 1)
        except RateLimited:
            await rates.give_back()
            await asyncio.sleep(0.02)
            continue
        let_in += 1
        sys.stdout.write("in\n")
        sys.stdout.flush()
        if crash and let_in == LET_IN_BEFORE_CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
    await rates.close()


if __name__ == "__main__":
    asyncio.run(
        spend(
            sys.argv[1],
            int(sys.argv[2]),
            float(sys.argv[3]),
            crash=sys.argv[4] == "crash",
        )
    )
