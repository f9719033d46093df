"""Everything dies in an order that a seed decides; no unit is lost or made."""

import os
import secrets

import pytest

from tests.fault.random_run import RandomRun
from tests.fault.random_run_checks import check
from tests.support.processes import Processes

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]
SEED = os.environ.get("FAULT_SEED", "") or str(secrets.randbelow(10**6))
SECONDS = float(os.environ.get("FAULT_SECONDS", "25"))


async def test_ledger_stays_right_while_everything_is_killed_at_random(
    federation: Processes,
) -> None:
    """Every unit that a caller was told of is on the ledger, and none beyond a limit.

    Repeat a run with FAULT_SEED, lengthen it with FAULT_SECONDS.
    """
    print(f"FAULT_SEED={SEED}")  # noqa: T201 - to repeat the run.
    targets = ("router", "router", "coordinator", *federation.nodes)
    run = RandomRun(federation, int(SEED), f"c{SEED}", targets)
    async with federation.calls() as calls:
        await calls.open_dataset(run.dataset)

        await run.run(seconds=SECONDS, callers=6, pause_s=2.0)
        await federation.heal()

        await check(run, calls)
