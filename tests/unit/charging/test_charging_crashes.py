"""The coordinator dies before or after any write; no opened round is ever free."""

import random
from pathlib import Path

import pytest

from coordinator.charging.holds import LedgerCharges
from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from tests.support import round_script as script
from tests.support.charging_story import audit, opened, play_through, told
from tests.support.charging_world import COST, ChargingWorld

SEEDS = 8
ROUNDS = 4
WRITES_MAX = 60


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("abort_in", [None, State.SUMMING, State.OPENING])
async def test_killed_at_each_write_once(
    directory: Path, abort_in: State | None, *, after: bool
) -> None:
    """Whatever was written last, the next coordinator settles each round as it went.

    Round `write` of one federation loses its coordinator at that write.
    """
    world = await ChargingWorld.open(directory)
    await world.grant(WRITES_MAX * COST)
    await world.live()
    spent_units = 0
    for write in range(WRITES_MAX):
        world.fuse.light(write, after=after)
        await play_through(world, abort_in=abort_in)
        burnt = world.fuse.burnt
        world.fuse.put_out()
        await world.live()
        opened_rounds, charged = await audit(world, newest=1)
        account = await world.account()
        spent_units += charged * COST

        assert (account.spent_units, account.reserved_units) == (spent_units, 0)
        assert opened_rounds <= charged <= 1
        if abort_in in (None, State.OPENING):
            assert opened_rounds == charged == 1
        if burnt == write:
            assert charged == opened_rounds
            break
    else:
        pytest.fail(f"A round takes more than {WRITES_MAX} writes.")
    await world.database.close()


async def random_run(world: ChargingWorld, dice: random.Random) -> int:
    """Play rounds with deaths, absences and aborts; return rounds overcharged at most.

    A round is charged and not opened where the coordinator dies between both.
    """
    deaths = 0
    for _ in range(ROUNDS):
        world.fuse.light(dice.randrange(80), after=dice.random() < 0.5)
        abort_in = dice.choice([None, None, *list(script.STEPS)])
        absent = dice.choice([0, 0, 0, 4])
        if not await opened(world):
            break
        for reached, steps in script.STEPS.items():
            for event in steps:
                newest = await world.newest()
                if newest.ended or newest.state is not reached:
                    continue
                if newest.state is abort_in:
                    await told(world, events.AbortRequested("enough"))
                elif is_from(absent, event) and reached is not State.JOINING:
                    await world.clock.advance(20)
                    await told(world, events.TimePassed())
                else:
                    await told(world, event)
                await audit(world)
        if not (await world.newest()).ended:
            await told(world, events.AbortRequested("stuck"))
        deaths = world.fuse.burnt
        world.fuse.put_out()
    await world.live()
    return deaths


def is_from(index: int, event: events.Event) -> bool:
    """Return whether the member of that number says this; nobody is number 0."""
    return getattr(event, "member", None) == script.member(index)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_random_rounds_are_charged_exactly_once(
    directory: Path, seed: int
) -> None:
    """Charged is opened, but for rounds whose coordinator died between the two."""
    world = await ChargingWorld.open(directory)
    await world.grant(ROUNDS * 4 * COST)
    await world.live()

    deaths = await random_run(world, random.Random(seed))  # noqa: S311 - a test's dice.

    rounds, charged = await audit(world, newest=100)
    account = await world.account()
    holds = await world.holds()
    await world.database.close()
    assert rounds <= charged <= rounds + deaths
    assert account.reserved_units == 0
    assert account.spent_units == sum(
        hold.charged_units(charge) for hold in holds for charge in hold.charges
    )


class ChargedAfterwards(LedgerCharges):
    """A broken variant: charges when a round has ended, as one would naively."""

    async def secure(self, before: Round, after: Round) -> Round:
        """Hold, and charge nothing on the way into OPENING."""
        if after.state is State.OPENING:
            return after
        return await super().secure(before, after)


async def test_the_audit_finds_a_coordinator_that_charges_too_late(
    directory: Path,
) -> None:
    """The check above must not be one that cannot fail."""
    world = await ChargingWorld.open(directory)
    world.charging = ChargedAfterwards
    await world.grant(100 * COST)
    await world.live()
    await world.play(State.OPENING)

    with pytest.raises(AssertionError, match="was opened and is not charged"):
        await audit(world)
    await world.database.close()
