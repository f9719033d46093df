"""What a member does while its vault does not answer: nothing twice, nothing lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from federated_router.federation import contribution as making
from federated_router.federation.round_view import Contribution, RoundState
from federated_router.kit.errors import BudgetExhausted, StoreUnavailable
from federated_router.privacy.step import Step
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember


@dataclass(slots=True)
class Charges:
    """An odometer that notes what happened before it was asked, and may refuse."""

    built: list[int]
    refuses: bool = False
    before: list[int] = field(default_factory=list)

    async def charge(self, round_name: str, step: Step) -> None:
        """Note how much had been built."""
        del round_name, step
        self.before.append(len(self.built))
        if self.refuses:
            raise BudgetExhausted("Nothing is left.")

    async def refund(self, round_name: str) -> None:
        """Give nothing back: nothing was counted."""
        del round_name


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bodies that are built."""
    sizes: list[int] = []
    build = making.build_body

    def counted(values: Sequence[int], **rest: object) -> bytes:
        sizes.append(len(values))
        return build(values, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "build_body", counted)
    return sizes


async def collecting(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> None:
    """Bring the round to where members contribute."""
    for end in (None, coordinator.end_joining):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)
    coordinator.end_revealing()


async def test_contribution_is_built_once_however_slow_the_vault_is(
    members: list[RunningMember],
    coordinator: MemoryCoordinator,
    built: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Members of a busy machine would otherwise make it busier at each attempt."""
    await collecting(members, coordinator)
    vault, store = members[0].vault, members[0].vault.store_contribution
    failures = 2

    async def slow(contribution: Contribution, **rest: object) -> Contribution:
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreUnavailable("The vault is slow.")
        return await store(contribution, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(vault, "store_contribution", slow)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await members[0].member.act(coordinator.round)
        assert not coordinator.sent
    await members[0].member.act(coordinator.round)

    stored = await vault.find(coordinator.round.name)
    assert stored is not None
    assert len(built) == 1
    assert stored.contribution is not None
    assert [body for _, body in coordinator.sent] == [stored.contribution.body]


async def test_what_was_built_is_not_sent_into_another_round(
    members: list[RunningMember], coordinator: MemoryCoordinator, built: list[int]
) -> None:
    """It is bound to a roster; what waits for the vault ends with its round."""
    await collecting(members, coordinator)
    member, round_ = members[0].member, coordinator.round
    record = await members[0].vault.find(round_.name)
    assert record is not None
    roster = await member._verified_roster(round_, record)
    contributing = member._contributing
    made = contributing._made = await contributing._built(round_, record, roster)

    assert made.is_of(round_.name, roster)
    assert not made.is_of("rounds/other", roster)
    await member.act(coordinator.end(RoundState.ABORTED))

    assert contributing._made is None
    assert len(built) == 1


async def test_charge_comes_before_the_work_that_it_pays_for(
    members: list[RunningMember], coordinator: MemoryCoordinator, built: list[int]
) -> None:
    """A member whose budget is spent freezes and builds nothing."""
    await collecting(members, coordinator)
    before = members[0].statistics.pending().requests
    charges = Charges(built, refuses=True)
    members[0].member._contributing._odometer = charges  # type: ignore[assignment]

    with pytest.raises(BudgetExhausted):
        await members[0].member.act(coordinator.round)

    assert charges.before == [0]
    assert not built
    assert members[0].statistics.pending().requests == before
