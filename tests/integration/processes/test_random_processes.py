"""The router dies again and again under load; no unit is lost or made."""

import secrets

from tests.fault.random_run import RandomRun
from tests.fault.random_run_checks import check
from tests.support.processes import Processes


async def test_ledger_stays_right_while_the_router_is_killed_at_random(
    pair: Processes,
) -> None:
    """What a caller was told of is on the ledger, and nothing is beyond a limit."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")  # noqa: T201 - to repeat the run.
    run = RandomRun(pair, seed, f"c{seed}", ("router",))
    async with pair.calls() as calls:
        await calls.open_dataset(run.dataset)

        await run.run(seconds=6.0, callers=4, pause_s=1.5)
        await pair.heal()

        await check(run, calls)
