"""A report counts every charge, and says where a figure cannot be given."""

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.budget import reporting
from federated_router.budget.accounts import AccountName
from federated_router.budget.reservation import Charge
from federated_router.kit.errors import AccountUnknown, FieldInvalid, LimitReached
from federated_router.privacy.measure import (
    Measure,
    epsilon_of,
    limit_units,
    measure_for,
    step_units,
)
from federated_router.privacy.renewal import RenewalPolicy
from federated_router.privacy.report import Composition
from federated_router.privacy.step import Step
from tests.support.report_world import (
    ALICE,
    DELTA,
    EPSILON,
    GAUSSIAN,
    LAPLACE,
    STRANGE,
    TOKEN,
    WARD,
    opened,
    row,
)


async def test_own_row_is_the_ledgers_integers_and_comes_first() -> None:
    """It is the figure that the gate goes by, so it must not be computed twice."""
    world = await opened()
    await world.charge("r-1", TOKEN, 40)
    await world.charge("r-2", GAUSSIAN, 3)

    response = await world.report()

    units = 40 * step_units(TOKEN, Measure()) + 3 * step_units(GAUSSIAN, Measure())
    assert response.account.spent_units == units
    assert response.compositions[0].method == "zcdp"
    assert response.compositions[0].epsilon == epsilon_of(units, Measure(), delta=1e-6)
    assert "the theorem is the limit, epsilon 6 over a window" in (
        response.compositions[0].note
    )
    assert response.requests == 2


async def test_every_theorem_has_a_row() -> None:
    """A method that says nothing says why."""
    world = await opened()
    await world.charge("r-1", TOKEN, 40)
    await world.charge("r-2", GAUSSIAN, 3)

    response = await world.report()

    assert {one.method for one in response.compositions} == set(reporting.METHODS)
    assert all(one.note for one in response.compositions)
    assert not row(response, "pld").HasField("epsilon")
    assert row(response, "basic").epsilon > row(response, "zcdp").epsilon > 0


async def test_pld_is_told_for_mechanisms_that_it_knows() -> None:
    """Gaussian and Laplace releases; it is an estimate below zCDP's."""
    world = await opened()
    await world.charge("r-1", GAUSSIAN, 20)
    await world.charge("r-2", LAPLACE, 5)

    response = await world.report()

    assert 0 < row(response, "pld").epsilon < row(response, "zcdp").epsilon
    assert "estimate" in row(response, "pld").note


async def test_frozen_order_is_the_own_measure_of_an_rdp_account() -> None:
    """The best of many orders is told beside it, as the estimate that it is."""
    order = measure_for(epsilon=EPSILON, delta=DELTA).order
    world = await opened(order=order)
    await world.charge("r-1", LAPLACE, 5)

    response = await world.report()

    units = 5 * step_units(LAPLACE, Measure(order))
    own = response.compositions[0]
    assert own.method == "rdp"
    assert own.epsilon == epsilon_of(units, Measure(order), delta=1e-6)
    assert "frozen when the account was created" in own.note
    assert "best of many orders" in own.note
    assert row(response, "zcdp").epsilon < own.epsilon
    assert "not kept in zCDP" in row(response, "zcdp").note
    assert [one.method for one in response.compositions].count("rdp") == 1


async def test_quota_is_called_no_guarantee() -> None:
    """Also in the report, where its figures look like those of a data set."""
    world = await opened()
    await world.charge("r-1", TOKEN, 40)

    response = await world.report(ALICE)

    assert response.account.promise == pb.Account.PROMISE_QUOTA
    assert "no guarantee about any record" in response.compositions[0].note


async def test_unknown_event_is_counted_and_named_never_dropped() -> None:
    """A sum without it would be too small, and look like any other."""
    world = await opened()
    await world.charge("r-1", TOKEN, 40)
    await world.charge_event("r-2", STRANGE, (Charge(WARD, 1000),), 7)

    response = await world.report()

    own, *others = response.compositions
    units = 40 * step_units(TOKEN, Measure()) + 7000
    assert own.epsilon == epsilon_of(units, Measure(), delta=1e-6)
    assert "1 request has an event not known here" in own.note
    assert STRANGE in own.note
    assert {one.method for one in others} == {"rdp", "pld", "basic", "advanced"}
    for one in others:
        assert not one.HasField("epsilon")
        assert STRANGE in one.note
    assert response.requests == 2


async def test_many_unknown_events_do_not_fill_the_screen() -> None:
    """Three are named, the others are counted."""
    world = await opened()
    for index in range(5):
        event = f'{{"mechanism":"m-{index}","text":"{"x" * 300}"}}'
        await world.charge_event(f"r-{index}", event, (Charge(WARD, 10),), 1)

    note = (await world.report()).compositions[0].note

    assert "5 requests have events not known here" in note
    assert "and 2 more" in note
    assert len(note) < 1000


async def test_window_and_lifetime_are_told_apart() -> None:
    """A renewal forgets nothing: the lifetime's report has both windows."""
    world = await opened(renewal=RenewalPolicy.DAILY)
    await world.charge("r-1", TOKEN, 40)
    await world.clock.advance(86_400)
    await world.charge("r-2", TOKEN, 10)

    window = await world.report()
    lifetime = await world.report(lifetime=True)

    unit = step_units(TOKEN, Measure())
    assert (window.requests, lifetime.requests) == (1, 2)
    assert row(window, "zcdp").epsilon == epsilon_of(10 * unit, Measure(), delta=1e-6)
    assert row(lifetime, "zcdp").epsilon == epsilon_of(50 * unit, Measure(), delta=1e-6)
    assert row(lifetime, "rdp").epsilon > row(window, "rdp").epsilon
    assert "no lifetime cap, so no theorem bounds it" in row(lifetime, "zcdp").note


async def test_lifetime_cap_is_the_theorem_over_all_windows() -> None:
    """It is what renewals cannot pass."""
    cap = limit_units(epsilon=Decimal(9), delta=DELTA, measure=Measure())
    world = await opened(lifetime_cap_units=cap)

    note = row(await world.report(lifetime=True), "zcdp").note

    assert "the theorem is the limit, epsilon 9 over all windows" in note


async def test_charges_outside_the_windows_times_are_told() -> None:
    """A clock that goes back settles before the window that pays for it."""
    world = await opened(renewal=RenewalPolicy.DAILY)
    await world.clock.advance(86_400)
    await world.charge("r-1", TOKEN, 1)
    await world.clock.advance(-5 * 86_400)
    await world.charge("r-2", TOKEN, 1)

    response = await world.report()

    unit = step_units(TOKEN, Measure())
    assert response.account.spent_units == 2 * unit
    assert f"{unit:,} units were settled outside" in response.compositions[0].note
    assert not row(response, "basic").HasField("epsilon")


async def test_fresh_account_has_spent_nothing_by_any_theorem() -> None:
    """Zeros, not absent figures: nothing is known to be nothing."""
    world = await opened()

    response = await world.report()

    assert response.requests == 0
    assert [one.epsilon for one in response.compositions] == [0.0] * 5
    assert all(one.HasField("epsilon") for one in response.compositions)


async def test_dearest_requests_come_first_and_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each may name a thousand accounts, and a message holds 4 MiB."""
    monkeypatch.setattr(reporting, "DEAREST_MAX", 3)
    world = await opened()
    for index, steps in enumerate((5, 50, 1, 20)):
        await world.charge(f"r-{index}", TOKEN, steps)

    response = await world.report()

    assert [one.name for one in response.top_reservations] == [
        "reservations/r-1",
        "reservations/r-3",
        "reservations/r-0",
    ]
    assert [one.steps for one in response.top_reservations] == [50, 20, 5]


async def test_more_reports_than_may_run_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each takes a thread; private requests need them too."""
    release = asyncio.Event()
    entered = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    def slow(*_: object, **__: object) -> tuple[Composition, ...]:
        loop.call_soon_threadsafe(entered.release)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return ()

    monkeypatch.setattr(reporting, "compositions", slow)
    world = await opened()
    running = [
        asyncio.create_task(world.report()) for _ in range(reporting.RUNNING_MAX)
    ]
    for _ in running:
        await entered.acquire()

    with pytest.raises(LimitReached) as refused:
        await world.report()
    release.set()
    await asyncio.gather(*running)
    monkeypatch.undo()

    assert refused.value.retry_after_s == 1.0
    assert (await world.report()).compositions


async def test_report_that_takes_too_long_comes_without_the_other_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The account's own figure needs no composing, so it is always there."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object, **__: object) -> tuple[Composition, ...]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return ()

    monkeypatch.setattr(reporting, "compositions", slow)
    monkeypatch.setattr(reporting, "TIME_S", 0.05)
    world = await opened()
    await world.charge("r-1", TOKEN, 40)

    response = await world.report()
    release.set()

    assert row(response, "zcdp").epsilon > 0
    assert not row(response, "rdp").HasField("epsilon")
    assert "longer than" in row(response, "rdp").note


async def test_account_that_does_not_exist() -> None:
    """And one that cannot: two different mistakes."""
    world = await opened()

    with pytest.raises(AccountUnknown):
        await world.report(AccountName("accounts/dataset-none"))
    with pytest.raises(FieldInvalid):
        await world.report(AccountName("dataset-none"))


STEPS = st.sampled_from([TOKEN, GAUSSIAN, LAPLACE])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(1, 20)), min_size=1, max_size=6))
def test_own_figure_is_never_below_what_the_events_tell(
    history: list[tuple[Step, int]],
) -> None:
    """Charges are rounded up, so the ledger's zCDP bounds the events' best order."""

    async def told() -> pb.ReportAccountResponse:
        world = await opened()
        for index, (step, steps) in enumerate(history):
            await world.charge(f"r-{index}", step, steps)
        return await world.report()

    response = asyncio.run(told())

    assert row(response, "rdp").epsilon <= row(response, "zcdp").epsilon * (1 + 1e-9)
