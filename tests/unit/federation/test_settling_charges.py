"""What a member's odometer gives back when a round has ended, and what it keeps."""

from dataclasses import dataclass, field

import pytest

from federated_router.federation.round_view import RoundState
from tests.support.round_coordinator import ROUND, MemoryCoordinator
from tests.support.round_member import RunningMember


@dataclass(slots=True)
class Refunds:
    """An odometer that notes what it is asked to give back."""

    asked: list[str] = field(default_factory=list)

    async def refund(self, round_name: str) -> None:
        """Note the round."""
        self.asked.append(round_name)


@pytest.fixture
def refunds(members: list[RunningMember]) -> Refunds:
    """Return what the first member's odometer hears."""
    heard = Refunds()
    members[0].member._settling._odometer = heard  # type: ignore[assignment]
    return heard


async def test_contribution_that_is_said_to_be_unopened_stays_charged(
    members: list[RunningMember], coordinator: MemoryCoordinator, refunds: Refunds
) -> None:
    """The requests are told again, and the second sum over them is charged as well.

    An odometer that believed the coordinator would show one sum where there may be two.
    """
    first = members[0]
    counted = first.statistics.balance().pending
    for end in (None, coordinator.end_joining, coordinator.end_revealing):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)
    assert first.statistics.balance().pending == 0

    await first.member.act(coordinator.end(RoundState.ABORTED))

    assert first.statistics.balance().pending == counted > 0
    assert refunds.asked == []


async def test_round_to_which_nothing_was_contributed_is_given_back(
    members: list[RunningMember], coordinator: MemoryCoordinator, refunds: Refunds
) -> None:
    """A charge may have been written by a member that died before it built anything."""
    first = members[0]
    await first.member.act(coordinator.round)

    await first.member.act(coordinator.end(RoundState.ABORTED))

    assert refunds.asked == [ROUND]
