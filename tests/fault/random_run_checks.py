"""What must hold after a random run, whatever died in it."""

from federated_router.api.v1 import budget_pb2
from tests.fault.random_run import RandomRun
from tests.support.processes import Calls, until

SETTLE_S = 40.0
ONCE_MORE = 5


async def check(run: RandomRun, calls: Calls) -> None:
    """Fail, with the seed, for the first invariant that does not hold."""
    story = f"seed {run.seed}, killed {run.kills}, heard {run.outcomes}"
    run.look()
    assert run.looks > 5, story
    assert run.violations == [], story
    await settled(run, calls)
    reservations = await run.reservations()
    balances = [await calls.account(name) for name in run.accounts]

    for request_id, charge in run.charged.items():
        found = reservations[request_id]
        assert found.state == budget_pb2.Reservation.STATE_COMMITTED, story
        assert found.charged_units == charge.units, (request_id, found, story)
    received = sum(charge.units for charge in run.charged.values())
    written = sum(one.charged_units for one in reservations.values())
    assert set(reservations) <= set(run.asked), story
    for balance in balances:
        assert balance.held_units == 0, (balance, story)
        assert received <= balance.spent_units <= balance.limit_units, (balance, story)
        assert balance.spent_units == written, (balance, written, story)
    again = await run.repeat(ONCE_MORE)
    assert again, story
    assert set(again) == {"ANSWERED"}, (again, story)
    assert balances == [await calls.account(name) for name in run.accounts], story


async def settled(run: RandomRun, calls: Calls) -> None:
    """Return once no hold is left: settled, charged at a restart, or lapsed."""

    async def nothing_held() -> bool:
        balances = [await calls.account(name) for name in run.accounts]
        return all(balance.held_units == 0 for balance in balances)

    await until(nothing_held, what="no hold is left", within_s=SETTLE_S)
