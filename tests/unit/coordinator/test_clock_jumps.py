"""Wall clocks that are set while a round runs, or between two of its coordinators."""

import time

import pytest

from coordinator.rounds.conductor import Conductor
from coordinator.rounds.state import State
from coordinator.rounds.steady import SteadyClock
from federated_router.kit.clock import ManualClock
from tests.support import round_script as script
from tests.support.coordinator_world import ROUNDS, CoordinatorWorld
from tests.support.round_member import RunningMember
from tests.unit.coordinator.test_coordinator_rounds import act

JUMPS = [86_400.0, 61.0, -61.0, -86_400.0]
DAY_S = 86_400.0


class JumpingClock(ManualClock):
    """A clock whose wall time may be set; its monotonic time goes on."""

    offset_s = 0.0

    def now_s(self) -> float:
        """Return what the wall shows."""
        return super().now_s() + self.offset_s

    def jump(self, by_s: float) -> None:
        """Set the wall clock forward, or back."""
        self.offset_s += by_s


@pytest.fixture
def clock() -> JumpingClock:
    """Return the clock of the coordinator and its members."""
    return JumpingClock(time.time() + 3600)


def conductor_of(world: CoordinatorWorld) -> Conductor:
    """Return the conductor of the present life."""
    return world.core.conductor


async def state_of(world: CoordinatorWorld) -> State:
    """Apply what is due, and return where the newest round stands."""
    await world.work()
    newest = world.core.feeds.rounds.value
    assert newest is not None
    return newest.state


@pytest.mark.parametrize("by_s", JUMPS)
async def test_jump_neither_ends_joining_nor_prolongs_it(
    world: CoordinatorWorld, clock: JumpingClock, by_s: float
) -> None:
    """Members that were joining still join, and the deadline comes when it was due."""
    name = await world.open_round(members_expected=0)
    conductor = conductor_of(world)
    await conductor.tell(name, script.joined(1))
    clock.jump(by_s)

    jumped = await state_of(world)
    for index in (2, 3, 4):
        await conductor.tell(name, script.joined(index))
    await clock.advance(59.0)
    before = await state_of(world)
    await clock.advance(1.5)
    after = await state_of(world)

    assert (jumped, before, after) == (State.JOINING, State.JOINING, State.REVEALING)


@pytest.mark.parametrize("by_s", JUMPS)
async def test_jump_in_one_state_leaves_the_next_ones_their_time(
    world: CoordinatorWorld, clock: JumpingClock, by_s: float
) -> None:
    """What is stored at a transition belongs to the same time as its deadline."""
    name = await world.open_round(members_expected=4)
    conductor = conductor_of(world)
    clock.jump(by_s)
    for index in (1, 2, 3, 4):
        await conductor.tell(name, script.joined(index))

    await clock.advance(29.0)
    before = await state_of(world)
    await clock.advance(1.5)
    after = await state_of(world)

    assert (before, after) == (State.REVEALING, State.ABORTED)


@pytest.mark.parametrize("by_s", [121.0, -121.0])
async def test_round_whose_clock_jumps_at_every_step_is_published(
    world: CoordinatorWorld,
    members: list[RunningMember],
    clock: JumpingClock,
    by_s: float,
) -> None:
    """Forth and back, each time further than any state may last."""
    await world.open_round()
    for step in range(20):
        clock.jump(by_s if step % 2 else -by_s)
        await act(world, members)
        if await state_of(world) is State.PUBLISHED:
            break

    newest = world.core.feeds.rounds.value
    assert newest is not None
    assert newest.state is State.PUBLISHED
    assert len(newest.survivors) == 4


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S])
async def test_next_round_is_opened_by_the_new_wall_time(
    world: CoordinatorWorld, clock: JumpingClock, by_s: float
) -> None:
    """A clock that was wrong when the daemon started is not believed for ever."""
    await world.open_round()
    clock.jump(by_s)
    await clock.advance(60.5)
    assert await state_of(world) is State.ABORTED

    world.restarts += 1
    await world.open_round()

    newest = world.core.feeds.rounds.value
    assert newest is not None
    assert newest.started_s == pytest.approx(clock.now_s())


async def test_forward_jump_across_a_restart_leaves_the_grace(
    world: CoordinatorWorld, clock: JumpingClock
) -> None:
    """It looks like an outage, and is answered like one: not by an abort at once."""
    name = await world.open_round(members_expected=0)
    for index in (1, 2, 3):
        await conductor_of(world).tell(name, script.joined(index))
    clock.jump(DAY_S)
    await world.restart()

    resumed = await state_of(world)
    await conductor_of(world).tell(name, script.joined(4))
    await clock.advance(9.5)
    before = await state_of(world)
    await clock.advance(1.0)
    after = await state_of(world)

    assert ROUNDS.resume_grace_s == 10.0
    assert (resumed, before, after) == (State.JOINING, State.JOINING, State.REVEALING)


async def test_backward_jump_across_a_restart_costs_one_stay_at_most(
    world: CoordinatorWorld, clock: JumpingClock
) -> None:
    """The stored deadline lies a day ahead, and nobody waits for it."""
    name = await world.open_round(members_expected=0)
    for index in (1, 2, 3):
        await conductor_of(world).tell(name, script.joined(index))
    await clock.advance(50.0)
    clock.jump(-DAY_S)
    await world.restart()

    await clock.advance(59.5)
    before = await state_of(world)
    await clock.advance(1.0)
    after = await state_of(world)

    assert (before, after) == (State.JOINING, State.REVEALING)


async def test_schedule_goes_on_by_the_time_that_passed(
    world: CoordinatorWorld, clock: JumpingClock
) -> None:
    """Between rounds a jump neither opens one early nor keeps one back for a day."""
    world.rounds = ROUNDS.model_copy(update={"interval_s": 100.0})
    await world.restart()
    await world.work()
    await clock.advance(60.5)
    assert await state_of(world) is State.ABORTED
    clock.jump(-DAY_S)

    await clock.advance(39.0)
    before = await state_of(world)
    await clock.advance(1.0)
    after = await state_of(world)

    assert (before, after) == (State.ABORTED, State.JOINING)


def test_steady_time_is_the_wall_time_that_it_was_set_by() -> None:
    """And moves with the monotonic clock until it is set again."""
    clock = JumpingClock(1_000.0)
    steady = SteadyClock(clock)
    first = steady.now_s()

    clock.jump(500.0)
    unmoved = steady.now_s()
    steady.set()

    assert (first, unmoved, steady.now_s()) == (1_000.0, 1_000.0, 1_500.0)
