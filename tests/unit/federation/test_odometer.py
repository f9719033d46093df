"""A member's own count of what its contributions cost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from federated_router.federation.odometer import Limit, Odometer
from federated_router.federation.odometer_settings import OdometerSettings
from federated_router.federation.vault import MIGRATIONS
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from federated_router.kit.errors import BudgetExhausted, FieldInvalid
from federated_router.privacy.accountant import epsilon_of_units
from federated_router.privacy.measure import ZCDP, step_units
from federated_router.privacy.renewal import RenewalPolicy
from federated_router.privacy.step import NoisedSumStep

STEP = NoisedSumStep(sensitivity_squared=4, share_sigma=8.0, shares_min=5, length=100)
DEARER = NoisedSumStep(sensitivity_squared=9, share_sigma=8.0, shares_min=5, length=100)
UNITS = step_units(STEP, ZCDP)
NOON_S = datetime(2026, 3, 31, 12, tzinfo=UTC).timestamp()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Return a vault's database."""
    opened = await Database.open(
        f"sqlite+aiosqlite:///{tmp_path}/vault.sqlite", migrations=MIGRATIONS
    )
    yield opened
    await opened.close()


def odometer(
    database: Database,
    *,
    limit: Limit | None = None,
    clock: ManualClock | None = None,
    charges_max: int = 100,
) -> Odometer:
    """Return an odometer as a restarted member would make it."""
    clock = clock or ManualClock(NOON_S)
    return Odometer(database, limit=limit, clock=clock, charges_max=charges_max)


async def test_charges_are_whole_units_of_the_step(database: Database) -> None:
    """As the coordinator's ledger counts, and added without any rounding."""
    meter = odometer(database)

    await meter.charge("rounds/a", STEP)
    await meter.charge("rounds/b", DEARER)

    reading = await meter.reading()
    assert reading.lifetime_units == UNITS + step_units(DEARER, ZCDP)
    assert (reading.rounds, reading.limit_units) == (2, None)


async def test_a_round_is_charged_once_also_after_a_restart(
    database: Database,
) -> None:
    """A member repeats its steps; a round's second charge would be a false alarm."""
    await odometer(database).charge("rounds/a", STEP)
    again = odometer(database)

    await asyncio.gather(*(again.charge("rounds/a", STEP) for _ in range(5)))

    assert (await again.reading()).lifetime_units == UNITS


async def test_the_limit_is_kept_to_the_unit(database: Database) -> None:
    """What fits exactly is charged; one unit more is refused and counts nothing."""
    meter = odometer(database, limit=Limit(units=2 * UNITS))
    await meter.charge("rounds/a", STEP)
    await meter.charge("rounds/b", STEP)

    with pytest.raises(BudgetExhausted) as caught:
        await meter.charge("rounds/c", STEP)

    assert caught.value.metadata["free_units"] == "0"
    assert caught.value.metadata["renews"] == "never"
    assert (await meter.reading()).window_units == 2 * UNITS


async def test_contributions_at_once_never_pass_the_limit(database: Database) -> None:
    """The comparison and the charge are one transaction."""
    meter = odometer(database, limit=Limit(units=3 * UNITS))

    answers = await asyncio.gather(
        *(meter.charge(f"rounds/{number}", STEP) for number in range(10)),
        return_exceptions=True,
    )

    refused = [one for one in answers if isinstance(one, BudgetExhausted)]
    assert len(refused) == 7
    assert (await meter.reading()).window_units == 3 * UNITS


async def test_a_refund_frees_the_round_and_nothing_else(database: Database) -> None:
    """A contribution that can never be opened told nothing."""
    meter = odometer(database, limit=Limit(units=UNITS))
    await meter.charge("rounds/a", STEP)

    await meter.refund("rounds/other")
    with pytest.raises(BudgetExhausted):
        await meter.charge("rounds/b", STEP)
    await meter.refund("rounds/a")
    await meter.refund("rounds/a")
    await meter.charge("rounds/b", STEP)

    assert (await meter.reading()).lifetime_units == UNITS


async def test_a_new_window_begins_by_the_calendar(database: Database) -> None:
    """What was spent in March does not bind April; the lifetime keeps both."""
    clock = ManualClock(NOON_S)
    limit = Limit(units=UNITS, renewal=RenewalPolicy.MONTHLY)
    meter = odometer(database, limit=limit, clock=clock)
    await meter.charge("rounds/a", STEP)
    with pytest.raises(BudgetExhausted) as caught:
        await meter.charge("rounds/b", STEP)

    await clock.advance(12 * 3600)
    await meter.charge("rounds/b", STEP)

    assert caught.value.metadata["renews"] == "2026-04-01T00:00:00Z"
    reading = await meter.reading()
    assert (reading.window_units, reading.lifetime_units) == (UNITS, 2 * UNITS)


async def test_a_clock_that_goes_back_frees_nothing(database: Database) -> None:
    """Charges of what is now the future count against the limit."""
    limit = Limit(units=UNITS, renewal=RenewalPolicy.DAILY)
    await odometer(database, limit=limit).charge("rounds/a", STEP)
    earlier = ManualClock(NOON_S - 40 * 86_400)

    with pytest.raises(BudgetExhausted):
        await odometer(database, limit=limit, clock=earlier).charge("rounds/b", STEP)


@pytest.mark.parametrize("renewal", [RenewalPolicy.NONE, RenewalPolicy.DAILY])
async def test_rows_have_a_limit_and_sums_stay_exact(
    database: Database, renewal: RenewalPolicy
) -> None:
    """The oldest rounds are folded into one number, in no window counted less."""
    clock = ManualClock(NOON_S)
    limit = Limit(units=1000 * UNITS, renewal=renewal)
    meter = odometer(database, limit=limit, clock=clock, charges_max=3)
    for number in range(10):
        await meter.charge(f"rounds/{number}", STEP)
        await clock.advance(86_400)
    async with database.read("count") as connection:
        count = await connection.exec_driver_sql("SELECT count(*) FROM member_charges")
        rows = count.scalar_one()

    reading = await meter.reading()
    window = 0 if renewal is RenewalPolicy.DAILY else 10 * UNITS
    assert rows == 3
    assert (reading.lifetime_units, reading.rounds) == (10 * UNITS, 10)
    assert reading.window_units == window


async def test_folding_never_takes_from_the_window_that_runs(
    database: Database,
) -> None:
    """More rounds in a day than are kept still bind that day."""
    limit = Limit(units=5 * UNITS, renewal=RenewalPolicy.DAILY)
    meter = odometer(database, limit=limit, charges_max=2)
    for number in range(5):
        await meter.charge(f"rounds/{number}", STEP)

    with pytest.raises(BudgetExhausted):
        await meter.charge("rounds/5", STEP)


def test_the_configured_limit_is_rounded_down() -> None:
    """The units that are counted to never mean more than the epsilon that was asked."""
    settings = OdometerSettings(epsilon=Decimal(3), renewal=RenewalPolicy.WEEKLY)

    assert epsilon_of_units(settings.limit.units, delta=1e-6) <= 3.0 + 1e-9
    assert settings.limit.renewal is RenewalPolicy.WEEKLY


@pytest.mark.parametrize(
    "fields",
    [
        {"epsilon": "0"},
        {"epsilon": "1", "delta": "1"},
        {"epsilon": "1", "renewal": "on_new_data"},
        {"epsilon": "1", "zone": "Nowhere/Land"},
    ],
)
def test_limits_that_are_none_are_refused_at_the_start(fields: dict[str, str]) -> None:
    """A budget is a promise; a daemon with a broken one does not start."""
    with pytest.raises(ValidationError):
        OdometerSettings.model_validate(fields)


async def test_a_step_that_no_ledger_can_hold_is_refused(database: Database) -> None:
    """A loss beyond the column would be lost in the sum."""
    huge = NoisedSumStep(
        sensitivity_squared=2**62, share_sigma=1.5, shares_min=1, length=1
    )

    with pytest.raises(FieldInvalid):
        await odometer(database).charge("rounds/a", huge)
