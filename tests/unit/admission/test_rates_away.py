"""Rates when their table is away, full of tenants, or closed."""

import pytest

from federated_router.admission.bucket import Measure
from federated_router.admission.settings import RateSettings, WhenUnavailable
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FederationError,
    Overloaded,
    RateLimited,
    StoreUnavailable,
)
from tests.support.rates_world import Table, let_in, router


@pytest.mark.parametrize("mode", list(WhenUnavailable))
async def test_without_the_table_it_is_as_configured(mode: WhenUnavailable) -> None:
    """Refuse by default; count alone where the operator says so."""
    clock = ManualClock()
    table = Table(clock)
    table.away = True
    rates = router(table, clock, rates=RateSettings(when_unavailable=mode))

    outcomes: list[type[FederationError] | None] = []
    for _ in range(70):
        try:
            await rates.charge("alice", 1)
        except FederationError as error:
            outcomes.append(type(error))
        else:
            outcomes.append(None)

    if mode is WhenUnavailable.REFUSE:
        assert outcomes == [StoreUnavailable] * 70
        assert table.takes == 1, "a table that is away is not asked by every request"
    else:
        assert outcomes == [None] * 60 + [RateLimited] * 10


async def test_units_of_ones_own_count_are_not_given_to_others() -> None:
    """They were never taken from the table."""
    clock = ManualClock()
    table = Table(clock)
    local = RateSettings(when_unavailable=WhenUnavailable.LOCAL)
    rates = router(table, clock, rates=local)
    table.away = True
    await rates.charge("alice", 3000)
    rates.settle("alice", {Measure.TOKENS: 3000})
    table.away = False

    await clock.advance(5)
    await rates.give_back()

    assert table.returned == 0


async def test_when_the_table_is_back_it_is_asked_again() -> None:
    """No mark of failure outlives its time."""
    clock = ManualClock()
    table = Table(clock)
    rates = router(table, clock)
    table.away = True
    with pytest.raises(StoreUnavailable):
        await rates.charge("alice", 1)
    table.away = False

    await clock.advance(1)

    assert await let_in(rates) == 1


async def test_no_more_tenants_are_kept_than_may() -> None:
    """And those that do not ask make room, when their rate has come back."""
    clock = ManualClock()
    rates = router(Table(clock), clock, rates=RateSettings(tenants_max=2))
    await rates.charge("alice", 1)
    await rates.charge("bob", 1)
    with pytest.raises(Overloaded):
        await rates.charge("carol", 1)

    await clock.advance(61)
    await rates.give_back()

    await rates.charge("carol", 1)


async def test_closing_gives_everything_back() -> None:
    """A router that stops in order leaves the others its slices."""
    clock = ManualClock()
    table = Table(clock)
    first = router(table, clock)
    await first.charge("alice", 3000)
    first.settle("alice", {Measure.TOKENS: 3000})
    table.close = _stays_open  # type: ignore[method-assign]

    await first.close()

    assert await let_in(router(table, clock), tokens=6000) == 1


async def _stays_open() -> None:
    """Close nothing: another router of the test uses the table."""
