"""The mathematics of a member's part: sizes, noise, seals."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from federated_router.crypto import dealing_check
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation import holder
from federated_router.federation.contribution import build_body, layout_of
from federated_router.federation.holder import DealtShares, sealed_bytes
from federated_router.federation.round_view import SealedShares
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

    assert sizes == {layout_of(opening.roster, CATALOGUE).size_bytes}


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
        noise_factors=CATALOGUE.noise_factors,
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
            noise_factors=CATALOGUE.noise_factors,
            sigma=2.5,
            own=ONE,
            keys=keys,
            roster=opening.roster,
            noise=no_noise,
        )

    assert build() != build()


async def test_share_sealed_by_the_coordinator_in_a_members_name_does_not_open(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """Shares of known secrets in place of the companions' would open one victim's."""
    forged = build_body(
        [0] * CATALOGUE.statistic_slots,
        noise_factors=CATALOGUE.noise_factors,
        sigma=2.5,
        own=TWO,
        keys=MemberKeys.generate(),
        roster=opening.roster,
        noise=no_noise,
    )
    size = sealed_bytes(opening.roster, ONE)
    share = layout_of(opening.roster, CATALOGUE).sealed_for(forged, 1)
    honest = opening.shares_for(ONE)

    dealt = await opened_by_one(
        opening, members, honest.body[:size] + share + honest.body[2 * size :]
    )

    assert dealt.shares[2] is None
    assert dealt.shares[3] is not None


async def test_companions_share_swapped_between_members_does_not_open(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """A seal names its sender, so that no share is counted for somebody else."""
    size = sealed_bytes(opening.roster, ONE)
    honest = opening.shares_for(ONE).body
    swapped = honest[size : 2 * size] + honest[:size] + honest[2 * size :]

    dealt = await opened_by_one(opening, members, swapped)

    assert [share is None for share in dealt.shares.values()] == [
        True,
        True,
        False,
        False,
    ]


async def test_another_number_of_shares_is_refused(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """A missing share would make the answer one over another set."""
    size = sealed_bytes(opening.roster, ONE)

    with pytest.raises(CiphertextMalformed):
        await opened_by_one(opening, members, opening.shares_for(ONE).body[:-size])


async def test_forged_share_is_told_as_absent_and_never_added(
    opening: MemoryCoordinator, members: list[RunningMember]
) -> None:
    """The check accuses its dealer; an answer that needs the share is not made."""
    kept = opening.contributions[TWO]
    flipped = kept.body[:-1] + bytes([kept.body[-1] ^ 1])
    opening.contributions[TWO] = replace(kept, body=flipped)

    await members[3].member.act(opening.round)
    with pytest.raises(CiphertextMalformed):
        await members[3].member.act(opening.end_checking())

    told = dealing_check.combinations_from_bytes(
        opening.checks[MemberName(NAMES[3])], contributors=4
    )
    absent = (told == dealing_check.ABSENT).all(axis=1)
    assert absent.tolist() == [False, True, False, False]
    assert opening.answers == {}


async def opened_by_one(
    opening: MemoryCoordinator, members: list[RunningMember], body: bytes
) -> DealtShares:
    """Return what the first member makes of the shares in `body`."""
    return holder.unseal(
        SealedShares(opening.contributor_set(), body),
        own=ONE,
        keys=await keys_of(members[0], opening),
        roster=opening.roster,
    )
