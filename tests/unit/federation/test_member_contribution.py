"""The mathematics of a member's part: sizes, noise, seals."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.contribution import (
    body_bytes,
    build_body,
    sealed_bytes,
    sum_sealed_shares,
)
from federated_router.kit.errors import CiphertextMalformed
from tests.support.round_coordinator import CATALOGUE, MemoryCoordinator
from tests.support.round_member import NAMES, RunningMember, no_noise

ONE, TWO = MemberName(NAMES[0]), MemberName(NAMES[1])


@pytest.fixture
async def opening(
    members: list[RunningMember], coordinator: MemoryCoordinator
) -> MemoryCoordinator:
    """Return a coordinator to which everybody has contributed."""
    for end in (None, coordinator.end_joining, coordinator.end_revealing):
        round_ = end() if end else coordinator.round
        for running in members:
            await running.member.act(round_)
    coordinator.end_collecting()
    return coordinator


async def keys_of(running: RunningMember, coordinator: MemoryCoordinator) -> MemberKeys:
    """Return the keys that a member uses in the round."""
    record = await running.vault.find(coordinator.round.name)
    assert record is not None
    return record.held.keys


def test_size_is_known_before_anybody_sends(opening: MemoryCoordinator) -> None:
    """A coordinator refuses other sizes without reading them."""
    sizes = {len(kept.body) for kept in opening.contributions.values()}

    assert sizes == {body_bytes(opening.roster, CATALOGUE)}


async def test_noise_is_asked_for_each_slot_but_not_for_the_count(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """The count of members must stay exact, or nothing can be checked by it."""
    asked: list[tuple[int, float]] = []

    def noise(length: int, sigma: float) -> Sequence[int]:
        asked.append((length, sigma))
        return no_noise(length, sigma)

    build_body(
        [0] * CATALOGUE.statistic_slots,
        sigma=2.5,
        own=ONE,
        keys=await keys_of(members[0], opening),
        roster=opening.roster,
        noise=noise,
    )

    assert asked == [(CATALOGUE.statistic_slots, 2.5)]


async def test_same_counts_never_give_the_same_body(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """Each call draws a new one-time secret, also without noise."""
    keys = await keys_of(members[0], opening)

    def build() -> bytes:
        return build_body(
            [1] * CATALOGUE.statistic_slots,
            sigma=2.5,
            own=ONE,
            keys=keys,
            roster=opening.roster,
            noise=no_noise,
        )

    assert build() != build()


async def test_share_sealed_by_the_coordinator_in_a_members_name_is_refused(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """Shares of known secrets in place of the companions' would open one victim's."""
    forged = build_body(
        [0] * CATALOGUE.statistic_slots,
        sigma=2.5,
        own=TWO,
        keys=MemberKeys.generate(),
        roster=opening.roster,
        noise=no_noise,
    )
    size = sealed_bytes(opening.roster)
    share = forged[-4 * size :][:size]
    honest = opening.shares_for(ONE).body

    with pytest.raises(CiphertextMalformed):
        sum_sealed_shares(
            honest[:size] + share + honest[2 * size :],
            survivors=sorted(opening.contributions),
            own=ONE,
            keys=await keys_of(members[0], opening),
            roster=opening.roster,
        )


async def test_companions_share_swapped_between_members_is_refused(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """A seal names its sender, so that no share is counted for somebody else."""
    size = sealed_bytes(opening.roster)
    honest = opening.shares_for(ONE).body
    swapped = honest[size : 2 * size] + honest[:size] + honest[2 * size :]

    with pytest.raises(CiphertextMalformed):
        sum_sealed_shares(
            swapped,
            survivors=sorted(opening.contributions),
            own=ONE,
            keys=await keys_of(members[0], opening),
            roster=opening.roster,
        )


async def test_another_number_of_shares_is_refused(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """A missing share would make the answer one over another set."""
    size = sealed_bytes(opening.roster)

    with pytest.raises(CiphertextMalformed):
        sum_sealed_shares(
            opening.shares_for(ONE).body[:-size],
            survivors=sorted(opening.contributions),
            own=ONE,
            keys=await keys_of(members[0], opening),
            roster=opening.roster,
        )


async def test_forged_share_keeps_the_holder_silent(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """The whole member refuses, and no answer is stored that could leave later."""
    kept = opening.contributions[TWO]
    flipped = kept.body[:-1] + bytes([kept.body[-1] ^ 1])
    opening.contributions[TWO] = replace(kept, body=flipped)

    with pytest.raises(CiphertextMalformed):
        await members[3].member.act(opening.round)

    record = await members[3].vault.find(opening.round.name)
    assert record is not None
    assert record.answer is None
