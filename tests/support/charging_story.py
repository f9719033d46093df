"""Rounds whose coordinator dies on the way, and an audit of what they were charged."""

from coordinator.charging import price
from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.budget.reservation import ReservationState
from federated_router.kit.errors import (
    BudgetExhausted,
    FederationError,
    RoundStateWrong,
)
from tests.support import round_script as script
from tests.support.charging_world import COST, ChargingWorld, renamed
from tests.support.fuse import Killed

CHARGED = {ReservationState.COMMITTED, ReservationState.EXPIRED}


async def audit(world: ChargingWorld, *, newest: int = 2) -> tuple[int, int]:
    """Return how many of the newest rounds may have been opened, and were charged.

    Raises AssertionError for one that may have been opened and was not charged for
    what its own roster costs.
    """
    holds = {hold.request_id: hold for hold in await world.holds()}
    page = await world.rounds.page(size=newest, before=0)
    rounds = {round_.name: round_ for _, round_ in page.rounds}
    opened = [round_ for round_ in rounds.values() if price.may_have_opened(round_)]
    for round_ in opened:
        hold = holds[price.held_by(round_.reservation)]
        assert hold.state in CHARGED, f"{round_.name} was opened and is not charged"
        assert hold.charges[0].units_per_step >= COST
    charged = sum(
        hold.state in CHARGED and price.round_of(hold.request_id) in rounds
        for hold in holds.values()
    )
    return len(opened), charged


async def told(world: ChargingWorld, event: events.Event) -> Round:
    """Tell the newest round something until a conductor has lived to answer.

    A repeated message may find that it was taken, and that the round moved on.
    """
    while True:
        newest = await world.newest()
        try:
            return await world.tell(newest.name, renamed(event, newest.name))
        except Killed:
            await revive(world)
            await audit(world)
        except FederationError:
            return await world.newest()


async def revive(world: ChargingWorld) -> None:
    """Start conductors until one comes up."""
    while True:
        try:
            await world.live()
        except Killed:
            continue
        return


async def opened(world: ChargingWorld) -> bool:
    """Open a round; return whether the budget bears it."""
    while True:
        try:
            await world.create()
        except Killed:
            await revive(world)
        except BudgetExhausted:
            return False
        except RoundStateWrong:
            return True
        else:
            return True


async def play_through(world: ChargingWorld, *, abort_in: State | None) -> None:
    """Play a round to its end, or until it is aborted in a state."""
    await opened(world)
    for reached, steps in script.STEPS.items():
        for event in steps:
            newest = await world.newest()
            if newest.ended:
                return
            if newest.state is abort_in:
                await told(world, events.AbortRequested("enough"))
                return
            if newest.state is reached:
                await told(world, event)
