"""What was said once is worth nothing in another place: round, sender or kind.

The attacker has recorded every message of a finished round and sends each of them
again, with the names changed to fit, through the product's own servicer.
"""

from dataclasses import replace

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.transcript import RosterHash
from federated_router.kit.errors import (
    RosterMismatch,
    RoundStateWrong,
    SignatureInvalid,
)
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import (
    CONTEXT,
    ROUNDS,
    CoordinatorWorld,
    identity,
)
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import (
    Said,
    contribution_of,
    everything_said,
    reach,
    record_of,
    signed_by,
)


@pytest.fixture
async def recorded(world: CoordinatorWorld, members: list[RunningMember]) -> Said:
    """Give what the first member said in a round whose sum was opened."""
    await world.open_round()
    await reach(world, members, "VALIDATING")
    said = await everything_said(members[0], await world.newest(full=True))
    await reach(world, members, "PUBLISHED")
    return said


async def second_round(world: CoordinatorWorld) -> str:
    """Open another round; the request has another id."""
    set_current_identity(identity("operator/op"))
    request = pb2.CreateRoundRequest(request_id="second", members_expected=4)
    made = await world.core.aggregation.CreateRound(request, CONTEXT)
    return str(made.round.name)


async def sent(world: CoordinatorWorld, name: str, message: object) -> None:
    """Send a recorded message on a member's own connection."""
    set_current_identity(identity(name))
    service = world.core.aggregation
    match message:
        case pb2.JoinRoundRequest():
            await service.JoinRound(message, CONTEXT)
        case pb2.RevealBeaconRequest():
            await service.RevealBeacon(message, CONTEXT)
        case pb2.SubmitDealingCheckRequest():
            await service.SubmitDealingCheck(message, CONTEXT)
        case pb2.SubmitOpeningRequest():
            await service.SubmitOpening(message, CONTEXT)
        case _:
            raise TypeError(message)


async def test_finished_round_takes_nothing_back(
    world: CoordinatorWorld, members: list[RunningMember], recorded: Said
) -> None:
    """The same bytes to the same round, once it has ended."""
    name = members[0].member.name
    for message in (
        recorded.join,
        recorded.reveal,
        recorded.check,
        recorded.opening,
    ):
        with pytest.raises(RoundStateWrong):
            await sent(world, name, message)
    with pytest.raises(RoundStateWrong):
        await world.client(name).contribute(recorded.contribution)


async def test_what_was_said_in_an_earlier_round_is_void_in_the_next(
    world: CoordinatorWorld, members: list[RunningMember], recorded: Said
) -> None:
    """Keys and binding still hold; what was signed names another round and roster.

    A nonce that everybody knows would let others choose the beacon; an old answer
    would spoil the next opening in an honest holder's name.
    """
    round_name = await second_round(world)
    first = members[0].member.name
    for state, message in (
        ("JOINING", recorded.join),
        ("REVEALING", recorded.reveal),
        ("CHECKING", recorded.check),
        ("OPENING", recorded.opening),
    ):
        message.round = round_name
        round_ = await reach(world, members, state)
        with pytest.raises(SignatureInvalid):
            await sent(world, first, message)
        if state == "REVEALING":
            await old_contribution_is_void(world, members, recorded, round_name)
    assert round_.name == round_name


async def old_contribution_is_void(
    world: CoordinatorWorld,
    members: list[RunningMember],
    recorded: Said,
    round_name: str,
) -> None:
    """Replay a contribution under its own roster's hash, and under the new one."""
    round_ = await reach(world, members, "COLLECTING")
    client = world.client(members[0].member.name)
    moved = replace(recorded.contribution, round_name=round_name)

    with pytest.raises(RosterMismatch):
        await client.contribute(moved)
    with pytest.raises(SignatureInvalid):
        await client.contribute(
            replace(moved, roster_hash=RosterHash(round_.roster_hash))
        )


async def test_signatures_of_one_kind_are_void_as_every_other_kind(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Within one round: what signed a contribution does not sign an answer."""
    await world.open_round()
    round_ = await reach(world, members, "OPENING")
    own = await contribution_of(members[0], round_.name)
    await members[0].member.act(
        await world.client(members[0].member.name).get(round_.name)
    )
    record = await record_of(members[0], round_.name)
    assert record.answer is not None
    second = members[1].member.name
    theirs = (await contribution_of(members[1], round_.name)).signature

    for signature in (own.signature, record.answer.signature, theirs):
        message = pb2.SubmitOpeningRequest(
            round=round_.name,
            share_sum=record.answer.share_sum,
            signature=signature,
        )
        with pytest.raises(SignatureInvalid):
            await sent(world, second, message)


async def test_contribution_of_another_is_void_for_its_copier(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A copied body would count one member twice; its signature is its author's."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    author, copier = members[0], members[1]
    await author.member.act(await world.client(author.member.name).get(round_.name))
    copied = await contribution_of(author, round_.name)

    with pytest.raises(SignatureInvalid):
        await world.client(copier.member.name).contribute(copied)


async def test_copied_body_under_the_copiers_signature_is_never_counted(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The shares inside were sealed by the author, so that no holder can open them.

    The copier is named as an inconsistent dealer; the others' sum is published.
    """
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    author, copier = members[0], members[1]
    for running in (author, *members[2:]):
        await running.member.act(
            await world.client(running.member.name).get(round_.name)
        )
    record = await record_of(copier, round_.name)
    assert record.contribution is None
    copied = await contribution_of(author, round_.name)
    forged = await signed_by(copier, copied, copied.body)
    await world.client(copier.member.name).contribute(forged)
    await world.work()

    others = [author, *members[2:]]
    for running in others:
        await running.member.act(
            await world.client(running.member.name).get(round_.name)
        )
    await world.clock.advance(ROUNDS.checking_s + 1)
    await reach(world, others, "PUBLISHED")

    published = await world.newest(full=True)
    assert list(published.inconsistent_dealers) == [copier.member.name]
    assert list(published.survivors) == sorted(one.member.name for one in others)
    assert list(published.liars) == []
