"""A holder answers once: other answers, other sets and other rounds get nothing.

One answer about another set, or one share of another round, is what differencing needs.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import signing
from federated_router.crypto.transcript import RosterHash
from federated_router.federation import holder
from federated_router.federation.statements import opening_statement
from federated_router.kit.errors import (
    CiphertextMalformed,
    FieldInvalid,
    ShareConflict,
)
from tests.support.coordinator_world import CoordinatorWorld, parts_of
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import (
    checked,
    collected,
    contribution_of,
    reach,
    record_of,
    signed_by,
)


async def signed_answer(
    running: RunningMember, name: str, share_sum: bytes
) -> pb2.SubmitOpeningRequest:
    """Return another answer under a holder's own valid signature."""
    record = await record_of(running, name)
    assert record.contribution is not None
    statement = opening_statement(
        name,
        running.member.name,
        roster_hash=record.contribution.roster_hash,
        share_sum=share_sum,
    )
    return pb2.SubmitOpeningRequest(
        round=name,
        share_sum=share_sum,
        signature=signing.sign(statement, record.held.keys),
    )


async def test_repeated_answers_that_differ_are_refused_and_the_first_stands(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A holder sends three answers; the second and the third change nothing."""
    await world.open_round()
    round_ = await reach(world, members, "OPENING")
    liar = members[0]
    await liar.member.act(await world.client(liar.member.name).get(round_.name))
    said = (await record_of(liar, round_.name)).answer
    assert said is not None

    for share_sum in (bytes(len(said.share_sum)), said.share_sum[2:] + bytes(2)):
        signature = (await signed_answer(liar, round_.name, share_sum)).signature
        with pytest.raises(ShareConflict):
            await world.client(liar.member.name).answer(
                round_.name, share_sum=share_sum, signature=signature
            )
    await world.client(liar.member.name).answer(
        round_.name, share_sum=said.share_sum, signature=said.signature
    )

    published = await reach(world, members, "PUBLISHED")
    assert list(published.liars) == []


async def test_sealed_shares_of_another_round_are_told_as_absent(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """The coordinator relays a round's sealed shares under another round's name.

    None opens, so that the holder combines none and could answer about none.
    """
    await collected(hostile, victims)
    hostile.end_collecting()
    victim = victims[0]
    shares = hostile.shares_for(victim.member.name)
    keys = (await record_of(victim, hostile.round.name)).held.keys
    roster = hostile.roster

    for other in (
        replace(roster, round_name="rounds/r2"),
        replace(roster, hash=RosterHash(bytes(32))),
    ):
        dealt = holder.unseal(shares, own=victim.member.name, keys=keys, roster=other)

        assert set(dealt.shares.values()) == {None}
        assert set(holder.combinations(dealt, other)) == {0xFF}
        with pytest.raises(CiphertextMalformed):
            holder.answer(dealt, ((1, 2, 3, 4),))


async def test_member_never_checks_or_answers_twice_whatever_it_is_shown(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """After its answer for four, a coordinator asks it about three: the same bytes."""
    await checked(hostile, victims)
    asked = victims[0]
    await asked.member.act(hostile.end_checking())
    record = await record_of(asked, hostile.round.name)
    hostile.excluded = {victims[3].member.name}
    hostile.unaccepted = {victims[3].member.name}
    hostile.answers.clear()
    hostile.checks.clear()

    await asked.member.act(hostile.end_collecting())
    await asked.member.act(hostile.end_checking())

    assert record.check is not None
    assert record.answer is not None
    assert hostile.checks == {asked.member.name: record.check.combinations}
    assert hostile.answers == {asked.member.name: record.answer.share_sum}


async def parts_in_order(
    *parts: pb2.SubmitContributionRequest,
) -> AsyncIterator[pb2.SubmitContributionRequest]:
    """Yield parts of a stream."""
    for part in parts:
        yield part


async def test_two_contributions_in_one_stream_are_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A second header must not open a second body."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    before = members[0]
    await before.member.act(await world.client(before.member.name).get(round_.name))
    own = await contribution_of(before, round_.name)
    other = await signed_by(members[1], own, own.body)
    parts = [part async for part in parts_of(other)]

    with pytest.raises(FieldInvalid):
        await world.client(members[1].member.name).send(parts_in_order(*parts, *parts))
    shown = await world.newest(full=True)
    sizes = {row.member: row.contribution_bytes for row in shown.roster}
    assert sizes[members[1].member.name] == 0
