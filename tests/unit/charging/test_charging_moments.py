"""When a round is held, charged and released, over the conductor itself."""

import asyncio
from typing import cast

import pytest

from coordinator.charging import price
from coordinator.rounds import events
from coordinator.rounds.state import State
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.reservation import ReservationState
from federated_router.budget.transactions import ReserveAnswer
from federated_router.kit.errors import (
    AccountClosed,
    BudgetExhausted,
    QueueFull,
    RoundUnknown,
    StoreUnavailable,
)
from tests.support import round_script as script
from tests.support.charging_world import ACCOUNT, COST, ChargingWorld, FusedLedger


async def balance(world: ChargingWorld) -> tuple[int, int]:
    """Return what is spent and held."""
    account = await world.account()
    return account.spent_units, account.reserved_units


@pytest.mark.parametrize(
    ("state", "spent", "held"),
    [
        (State.JOINING, 0, 0),
        (State.REVEALING, 0, 0),
        (State.COLLECTING, 0, COST),
        (State.CHECKING, 0, COST),
        (State.SUMMING, 0, COST),
        (State.OPENING, COST, 0),
        (State.VALIDATING, COST, 0),
        (State.PUBLISHED, COST, 0),
    ],
)
async def test_each_state_holds_or_charges_what_it_must(
    world: ChargingWorld, state: State, spent: int, held: int
) -> None:
    """Held before anything is collected; charged before the sum may be opened."""
    round_ = await world.play(state)

    assert round_.state is state
    assert await balance(world) == (spent, held)
    assert bool(round_.reservation) == bool(spent + held)


@pytest.mark.parametrize(
    ("state", "spent"),
    [
        (State.REVEALING, 0),
        (State.COLLECTING, 0),
        (State.CHECKING, 0),
        (State.SUMMING, 0),
        (State.OPENING, COST),
        (State.VALIDATING, COST),
    ],
)
async def test_aborted_rounds_are_released_only_before_opening(
    world: ChargingWorld, state: State, spent: int
) -> None:
    """From OPENING on a coordinator may have the sum, whatever it says afterwards."""
    round_ = await world.play(state)

    await world.tell(round_.name, events.AbortRequested("enough"))

    assert await balance(world) == (spent, 0)


async def test_rejected_rounds_stay_charged(world: ChargingWorld) -> None:
    """The coordinator has read the sum, though nobody else does."""
    round_ = await world.play(State.VALIDATING)

    await world.tell(round_.name, events.Refused("implausible"))

    assert await balance(world) == (COST, 0)


async def test_reservation_is_found_by_its_name_and_says_what_it_paid_for(
    world: ChargingWorld,
) -> None:
    """An auditor goes from the round to the ledger's entry, and derives its charge."""
    round_ = await world.play(State.PUBLISHED)
    stored = await world.newest()

    hold = await world.ledger.get_reservation(price.held_by(stored.reservation))

    assert stored.reservation == f"{ACCOUNT}/reservations/{hold.request_id}"
    assert price.round_of(hold.request_id) == round_.name
    assert hold.state is ReservationState.COMMITTED
    assert '"mechanism":"noised_sum"' in hold.event


async def test_round_that_the_account_cannot_bear_is_not_opened(
    world: ChargingWorld,
) -> None:
    """The operator hears it at once, with the account and what is missing."""
    for _ in range(3):
        await world.play(State.PUBLISHED)

    with pytest.raises(BudgetExhausted) as caught:
        await world.create()

    assert caught.value.metadata["account"] == ACCOUNT
    assert caught.value.metadata["free_units"] == str(COST // 2)
    assert (await world.newest()).name == "rounds/r3"


async def test_round_whose_roster_costs_too_much_is_aborted_before_collecting(
    world: ChargingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price follows from the roster; nobody contributes to what is not covered."""

    async def admit(_: object) -> None:
        """Admit, as where another round spent the rest meanwhile."""

    for _ in range(3):
        await world.play(State.PUBLISHED)
    monkeypatch.setattr(world.charges, "admit", admit)

    round_ = await world.play(State.COLLECTING)

    assert round_.state is State.ABORTED
    assert round_.end_cause.startswith("BUDGET_EXHAUSTED: The budget accounts/fed")
    assert [entry.state for entry in round_.history][-2:] == [
        State.REVEALING,
        State.ABORTED,
    ]
    assert await balance(world) == (3 * COST, 0)


async def test_closed_account_ends_rounds(world: ChargingWorld) -> None:
    """An operator who closes the account stops everything that is not yet charged."""
    running = await world.play(State.REVEALING)
    await world.ledger.close_account(ACCOUNT, operator="op", reason="enough")

    for event in script.STEPS[State.REVEALING]:
        running = await world.tell(running.name, event)

    assert running.state is State.ABORTED
    assert running.end_cause.startswith("ACCOUNT_CLOSED: ")
    with pytest.raises(AccountClosed):
        await world.create()


@pytest.mark.parametrize("failure", [StoreUnavailable("gone"), QueueFull("full")])
async def test_round_waits_for_a_ledger_that_does_not_answer(
    world: ChargingWorld, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Nothing is collected on credit; the same message works once it is back."""
    round_ = await world.play(State.REVEALING)
    *first, last = script.STEPS[State.REVEALING]
    for event in first:
        await world.tell(round_.name, event)
    reserve = world.ledger.reserve

    async def silent(_: ReserveRequest) -> ReserveAnswer:
        raise failure

    monkeypatch.setattr(world.ledger, "reserve", silent)
    with pytest.raises(StoreUnavailable):
        await world.tell(round_.name, last)
    assert (await world.newest()).state is State.REVEALING
    monkeypatch.setattr(world.ledger, "reserve", reserve)

    after = await world.tell(round_.name, last)

    assert after.state is State.COLLECTING
    assert await balance(world) == (0, COST)


async def test_end_of_a_round_does_not_wait_for_the_ledger(
    world: ChargingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold is released when the next round opens, or at the next start."""
    round_ = await world.play(State.COLLECTING)
    listing = world.ledger.list_reservations

    async def silent(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(world.ledger, "list_reservations", silent)
    after = await world.tell(round_.name, events.AbortRequested("enough"))
    assert after.state is State.ABORTED
    assert await balance(world) == (0, COST)
    monkeypatch.setattr(world.ledger, "list_reservations", listing)

    await world.create()

    assert await balance(world) == (0, 0)


async def test_hold_that_expired_while_the_coordinator_was_away_is_not_charged_twice(
    world: ChargingWorld,
) -> None:
    """A lapsed hold was charged in full; the round that goes on has paid."""
    round_ = await world.play(State.SUMMING)
    await world.clock.advance(40 * 86_400)
    await world.ledger.expire_due()
    await world.live()

    after = await world.tell(round_.name, events.Summed())

    assert after.state is State.OPENING
    assert await balance(world) == (COST, 0)


async def test_restart_keeps_the_hold_of_a_round_that_goes_on(
    world: ChargingWorld,
) -> None:
    """The lease is extended before anybody looks for holds that lapsed."""
    await world.play(State.COLLECTING)
    await world.clock.advance(40 * 86_400)

    await world.live()
    await world.ledger.expire_due()

    assert await balance(world) == (0, COST)


async def test_hold_of_a_round_that_nobody_knows_is_charged_when_it_lapses(
    world: ChargingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds were lost with their store: nobody can prove that none was opened."""
    await world.play(State.COLLECTING)

    async def unknown(*_: object) -> None:
        raise RoundUnknown("No round has this name.")

    monkeypatch.setattr(world.charges, "_find", unknown)
    await world.charges.settle(None)
    assert await balance(world) == (0, COST)
    await world.clock.advance(86_400)
    await world.ledger.expire_due()

    assert await balance(world) == (COST, 0)


async def test_round_whose_hold_is_gone_is_not_opened(
    world: ChargingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger restored from an older backup has not been paid."""
    round_ = await world.play(State.SUMMING)
    rows = cast("FusedLedger", world.ledger)._rows
    monkeypatch.setattr(rows, "_reservations", {})

    after = await world.tell(round_.name, events.Summed())

    assert after.state is State.ABORTED
    assert after.end_cause.startswith("STATE_WRONG: The ledger does not know")


async def test_messages_that_come_together_hold_once(world: ChargingWorld) -> None:
    """The last four nonces arrive at the same moment, some of them twice."""
    round_ = await world.play(State.REVEALING)

    await asyncio.gather(
        *(
            world.tell(round_.name, event)
            for event in script.STEPS[State.REVEALING] * 2
        ),
        return_exceptions=True,
    )

    assert await balance(world) == (0, COST)
    assert len(await world.holds()) == 1
