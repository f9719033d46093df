"""What a member told is known to it once it was published, and not otherwise."""

import pytest

from federated_router.federation.own_parts import PENDING_MAX, OwnParts
from federated_router.federation.round_view import RoundState
from federated_router.priors.accumulate import ROUNDS_MAX
from tests.support.round_coordinator import CATALOGUE, ROUND, MemoryCoordinator
from tests.support.round_member import RunningMember
from tests.unit.federation.test_member_round import act_all, checked, collect


def told(members: list[RunningMember]) -> list[set[str]]:
    """Return each member's rounds with a part of its own."""
    return [set(one.statistics.own_parts.published) for one in members]


async def test_part_is_known_once_its_round_was_published(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Before that nobody adds the sum up, and there is nothing to take off."""
    await collect(members, coordinator)
    await act_all(members, await checked(members, coordinator))
    assert not any(told(members))

    await act_all(members, coordinator.end(RoundState.PUBLISHED))

    assert told(members) == [{ROUND}] * len(members)


@pytest.mark.parametrize("end", [RoundState.REJECTED, RoundState.ABORTED])
async def test_round_that_was_not_published_has_no_part(
    members: list[RunningMember], coordinator: MemoryCoordinator, end: RoundState
) -> None:
    """Its requests are in no sum that a router reads."""
    await collect(members, coordinator)
    await act_all(members, await checked(members, coordinator))

    await act_all(members, coordinator.end(end))

    assert not any(told(members))


async def test_contributor_that_is_no_survivor_has_no_part(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Taking off what is not in the sum would make others' requests fewer."""
    await collect(members, coordinator)
    coordinator.excluded = {members[0].member.name}
    await act_all(members, await checked(members, coordinator))

    await act_all(members, coordinator.end(RoundState.PUBLISHED))

    assert told(members)[0] == set()
    assert told(members)[1:] == [{ROUND}] * (len(members) - 1)


def test_parts_are_bounded() -> None:
    """Rounds that never end, and rounds without end, must not fill a router."""
    parts, nothing = OwnParts(), [0] * CATALOGUE.statistic_slots
    for number in range(PENDING_MAX + 1):
        parts.note(f"rounds/{number}", CATALOGUE, nothing)
    parts.confirm("rounds/0")
    assert not parts.published

    for number in range(ROUNDS_MAX + 5):
        parts.note(f"rounds/{number}", CATALOGUE, nothing)
        parts.confirm(f"rounds/{number}")

    assert len(parts.published) == ROUNDS_MAX
    assert "rounds/4" not in parts.published


def test_part_of_an_earlier_process_is_not_this_ones() -> None:
    """Own sums ended with that process: its requests count as the federation's now."""
    parts = OwnParts()

    parts.confirm(ROUND)

    assert not parts.published
