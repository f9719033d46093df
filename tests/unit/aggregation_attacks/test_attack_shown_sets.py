"""A coordinator that shows other sets of contributors and survivors than there are.

A member checks about one contributor set and answers about one part of it, in cohorts
that it draws itself. Whatever else it is shown, it must send nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from federated_router.crypto import cohorts
from federated_router.crypto.transcript import RosterHash
from federated_router.federation.set_verification import (
    verify_contributor_set,
    verify_survivor_set,
)
from federated_router.federation.statements import attempt_of
from federated_router.federation.verification import Promise
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FederationError,
    RosterMismatch,
    RosterTooSmall,
    ShareConflict,
    SignatureInvalid,
)
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import (
    checked,
    collected,
    contribution_of,
    record_of,
)


async def promise_of(running: RunningMember, hostile: MemoryCoordinator) -> Promise:
    """Return under which terms a member contributed."""
    promise = (await record_of(running, hostile.round.name)).promise
    assert promise is not None
    return promise


async def test_second_contributor_set_gets_no_second_check(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Half of the holders are shown all four, the others three: each says one thing.

    Who is shown a set without its own contribution sends nothing at all.
    """
    await collected(hostile, victims)
    for running in victims[:2]:
        await running.member.act(hostile.end_collecting())
    hostile.unaccepted = {victims[3].member.name}

    await victims[2].member.act(hostile.end_collecting())
    with pytest.raises(RosterMismatch):
        await victims[3].member.act(hostile.end_collecting())

    sizes = {name: len(told) for name, told in hostile.checks.items()}
    row = sizes[victims[2].member.name] // 3
    assert sizes == {
        victims[0].member.name: 4 * row,
        victims[1].member.name: 4 * row,
        victims[2].member.name: 3 * row,
    }


async def test_answer_about_another_contributor_set_than_was_checked_is_refused(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Also by a member that was started again and fetches its shares anew."""
    await checked(hostile, victims)
    hostile.unaccepted = {victims[3].member.name}
    opening = hostile.end_checking()

    for restarted in (False, True):
        if restarted:
            victims[0].member._holding.forget(hostile.round.name)
        with pytest.raises((ShareConflict, SignatureInvalid)):
            await victims[0].member.act(opening)
    assert hostile.answers == {}


@pytest.mark.parametrize("shown", [(1, 2, 4, 5), (1, 2, 3, 4, 5), (2, 3, 1), (1, 1, 2)])
async def test_survivors_that_are_no_part_of_the_contributors_are_refused(
    shown: Sequence[int],
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers beyond the set, in disorder or twice, under a good signature."""
    await checked(hostile, victims)
    opening = hostile.end_checking()
    claim = hostile.signed_survivors(shown)
    monkeypatch.setattr(MemoryCoordinator, "survivor_set", lambda _: claim)

    with pytest.raises(FederationError):
        await victims[0].member.act(opening)
    assert hostile.answers == {}


@pytest.mark.parametrize("survivors", [(), (1,), (1, 2)])
async def test_too_few_survivors_are_refused(
    survivors: Sequence[int],
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the coordinator says that the check has shown."""
    await checked(hostile, victims)
    opening = hostile.end_checking()
    claim = hostile.signed_survivors(survivors)
    monkeypatch.setattr(MemoryCoordinator, "survivor_set", lambda _: claim)

    with pytest.raises(RosterTooSmall):
        await victims[0].member.act(opening)
    assert hostile.answers == {}


async def test_second_survivor_set_gets_the_first_answer(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Two sets under one coordinator's signature: one answer, about the first."""
    await checked(hostile, victims)
    await victims[0].member.act(hostile.end_checking())
    first = dict(hostile.answers)
    hostile.answers.clear()
    hostile.excluded = {victims[3].member.name}

    await victims[0].member.act(hostile.end_checking())

    assert hostile.answers == first


async def test_survivor_set_with_a_small_cohort_is_refused(
    hostile: MemoryCoordinator, victims: list[RunningMember], clock: ManualClock
) -> None:
    """The member draws the cohorts; one survivor alone in one is never answered for.

    The set as a whole is large enough, and the same set passes as one cohort.
    """
    await checked(hostile, victims)
    hostile.end_checking()
    roster = hostile.roster
    drawn = cohorts.assign(
        attempt_of(roster.round_name), roster.hash, roster.beacon, holders=4, size=2
    )
    alone = (*drawn[0], drawn[1][0])
    claim = hostile.signed_survivors(sorted(alone))
    promise = await promise_of(victims[0], hostile)
    whole = replace(promise, survivors_min=3, cohort_size=0, cohort_survivors_min=0)
    shown = hostile.contributor_set()

    def answered(terms: Promise) -> tuple[tuple[int, ...], ...]:
        return verify_survivor_set(
            claim,
            roster=roster,
            promise=terms,
            contributors=shown.contributors,
            contributors_sha256=shown.sha256(roster.round_name, roster.hash),
            trust=victims[0].credentials.trust,
            now_s=clock.now_s(),
        )

    assert answered(whole) == (tuple(sorted(alone)),)
    with pytest.raises(RosterTooSmall):
        answered(replace(whole, cohort_size=2, cohort_survivors_min=2))


async def test_sets_of_another_round_are_refused(
    hostile: MemoryCoordinator, victims: list[RunningMember], clock: ManualClock
) -> None:
    """Numbers, digests and signatures of a round, shown again in the next."""
    await checked(hostile, victims)
    hostile.end_checking()
    own = await contribution_of(victims[0], hostile.round.name)
    promise = await promise_of(victims[0], hostile)
    shown, survivors = hostile.contributor_set(), hostile.survivor_set()
    trust, now_s = victims[0].credentials.trust, clock.now_s()

    for other in (
        replace(hostile.roster, round_name="rounds/r2"),
        replace(hostile.roster, hash=RosterHash(bytes(32))),
    ):
        with pytest.raises(SignatureInvalid):
            verify_contributor_set(
                shown,
                roster=other,
                promise=promise,
                own=victims[0].member.name,
                own_sha256=own.sha256,
                trust=trust,
                now_s=now_s,
            )
        with pytest.raises(SignatureInvalid):
            verify_survivor_set(
                survivors,
                roster=other,
                promise=promise,
                contributors=shown.contributors,
                contributors_sha256=shown.sha256(other.round_name, other.hash),
                trust=trust,
                now_s=now_s,
            )
