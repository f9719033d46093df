"""A tenant's rate over several routers, spent in slices."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.admission.bucket import Measure
from federated_router.admission.settings import RateSettings, TenantSettings
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import RateLimited
from tests.support.rates_world import Table, let_in, router

SMALL = TenantSettings(requests_per_minute=60, tokens_per_minute=600)


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 2), st.integers(1, 400)),
            st.tuples(st.just("wait"), st.just(0), st.integers(1, 30)),
            st.tuples(st.just("settle"), st.integers(0, 2), st.integers(0, 100)),
            st.tuples(st.just("tidy"), st.integers(0, 2), st.just(0)),
            st.tuples(st.just("die"), st.integers(0, 2), st.just(0)),
        ),
        max_size=60,
    )
)
@settings(max_examples=200, deadline=None)
def test_routers_together_never_let_in_more_than_the_rate(
    steps: list[tuple[str, int, int]],
) -> None:
    """Whatever is spent, given back, or lost with a router that dies.

    From a full bucket: at most what it holds and what came back since.
    """

    async def live() -> None:
        clock = ManualClock()
        start_s, table = clock.now_s(), Table(clock)
        routers = [router(table, clock, SMALL) for _ in range(3)]
        spent = {Measure.REQUESTS: 0, Measure.TOKENS: 0}
        running: list[tuple[int, int]] = []
        for step, index, figure in steps:
            if step == "ask" and await let_in(routers[index], figure):
                spent[Measure.REQUESTS] += 1
                spent[Measure.TOKENS] += figure
                running.append((index, figure))
            elif step == "settle" and running:
                where, asked = running.pop()
                unspent = asked * figure // 100
                routers[where].settle("alice", {Measure.TOKENS: unspent})
                spent[Measure.TOKENS] -= unspent
            elif step == "wait":
                await clock.advance(figure)
            elif step == "tidy":
                await routers[index].give_back()
            elif step == "die":
                routers[index] = router(table, clock, SMALL)
                running = [one for one in running if one[0] != index]
            passed_s = clock.now_s() - start_s
            assert spent[Measure.REQUESTS] <= 60 + passed_s
            assert spent[Measure.TOKENS] <= 600 + 10 * passed_s

    asyncio.run(live())


async def test_what_was_given_back_is_not_spent_here_as_well() -> None:
    """It is another router's, the moment that it is back in the table."""
    clock = ManualClock()
    table = Table(clock)
    first, second = router(table, clock), router(table, clock)
    await first.charge("alice", 6000)
    first.settle("alice", {Measure.TOKENS: 6000})
    await clock.advance(3)
    await first.give_back()

    spent = 6000 * await let_in(second, tokens=6000)
    spent += 1000 * await let_in(first, tokens=1000)

    assert spent == 6000


async def test_a_whole_minute_can_be_used_from_either_router() -> None:
    """Slices leave nothing behind that the tenant could not use."""
    clock = ManualClock()
    table = Table(clock)
    first, second = router(table, clock), router(table, clock)

    count = await let_in(first, times=30) + await let_in(second, times=40)
    await clock.advance(2)
    await first.give_back()
    await second.give_back()
    await clock.advance(1)
    count += await let_in(second, times=40)

    assert count == 63


async def test_the_table_is_asked_once_for_many_requests() -> None:
    """A slice of the minute is one transaction."""
    clock = ManualClock()
    table = Table(clock)
    rates = router(
        table, clock, TenantSettings(requests_per_minute=60_000), RateSettings()
    )

    await let_in(rates, times=5000)

    assert table.takes < 20


async def test_a_tenant_that_seldom_asks_leaves_nothing_at_a_router() -> None:
    """Else the slices of many routers would use its rate up by themselves."""
    clock = ManualClock()
    table = Table(clock)
    routers = [router(table, clock) for _ in range(8)]
    refused = 0
    for second in range(120):
        rates = routers[second % 8]
        refused += 1 - await let_in(rates)
        await clock.advance(1)
        for one in routers:
            await one.give_back()

    assert refused == 0


async def test_a_flood_beyond_the_rate_does_not_reach_the_table() -> None:
    """A refusal is repeated for a while without asking."""
    clock = ManualClock()
    table = Table(clock)
    rates = router(table, clock)
    await let_in(rates, times=60)
    takes = table.takes

    assert await let_in(rates, times=1000) == 0
    assert table.takes <= takes + 1


async def test_a_refusal_names_the_limit_and_when_to_return() -> None:
    """One machine-readable reason, the measure, and RetryInfo."""
    clock = ManualClock()
    rates = router(Table(clock), clock)
    await rates.charge("alice", 5900)

    with pytest.raises(RateLimited) as refused:
        await rates.charge("alice", 200)

    assert refused.value.metadata == {"measure": "tokens", "per_minute": "6000"}
    assert refused.value.retry_after_s == pytest.approx(1.0)


async def test_a_request_larger_than_the_rate_is_told_so() -> None:
    """Waiting would not help, so there is no time to wait."""
    clock = ManualClock()
    rates = router(Table(clock), clock)

    with pytest.raises(RateLimited) as refused:
        await rates.charge("alice", 6001)

    assert refused.value.retry_after_s is None


async def test_answers_give_back_what_they_did_not_take() -> None:
    """A limit in tokens counts tokens, not what was allowed at most."""
    clock = ManualClock()
    first, second = (router(table, clock) for table in [Table(clock)] * 2)
    for _ in range(50):
        await first.charge("alice", 3000)
        first.settle("alice", {Measure.TOKENS: 2990})

    await first.give_back()

    assert await let_in(second, tokens=5000) == 1


async def test_an_answer_longer_than_it_said_is_paid_for_by_the_next() -> None:
    """An estimate that is too low is a debt and not a gift."""
    clock = ManualClock()
    rates = router(Table(clock), clock)
    await rates.charge("alice", 10)
    rates.settle("alice", {Measure.TOKENS: -5000})

    assert await let_in(rates, tokens=1200) == 0
    assert await let_in(rates, tokens=900) == 1


async def test_a_debt_larger_than_the_bucket_is_paid_in_parts() -> None:
    """A tenant is slowed down by it and never locked out, however often it asks."""
    clock = ManualClock()
    rates = router(Table(clock), clock)
    await rates.charge("alice", 10)
    rates.settle("alice", {Measure.TOKENS: -20_000})

    waited_s = 0
    while not await let_in(rates, tokens=100):
        await clock.advance(1)
        waited_s += 1
        assert waited_s < 200

    assert waited_s >= 140


async def test_one_transaction_serves_all_who_wait_for_it() -> None:
    """And who gives up meanwhile leaves his slice to the others."""
    clock = ManualClock()
    table = Table(clock)
    table.slow = asyncio.Event()
    rates = router(table, clock)
    gives_up = asyncio.create_task(rates.charge("alice", 10))
    await asyncio.sleep(0)
    gives_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gives_up
    waits = asyncio.create_task(rates.charge("alice", 10))
    await asyncio.sleep(0)

    table.slow.set()
    await waits

    assert table.takes == 1
