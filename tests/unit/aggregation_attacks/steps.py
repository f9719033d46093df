"""How the tests of attacks drive rounds up to the point where they attack."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import signing
from federated_router.federation import statements
from federated_router.federation.round_view import Contribution
from federated_router.federation.vault_rows import RoundRecord
from federated_router.federation.wire import round_from_message
from tests.support.coordinator_world import CoordinatorWorld
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember

STATE = pb2.Round.State


async def act(world: CoordinatorWorld, members: Iterable[RunningMember]) -> None:
    """Let each of `members` do its step in the newest round."""
    for running in members:
        await running.member.act(round_from_message(await world.newest()))


async def reach(
    world: CoordinatorWorld, members: list[RunningMember], state: str
) -> pb2.Round:
    """Drive the newest round until it stands in `state`."""
    for _ in range(12):
        round_ = await world.newest()
        if STATE.Name(round_.state) == f"STATE_{state}":
            return round_
        if round_.state not in (STATE.STATE_SUMMING, STATE.STATE_VALIDATING):
            await act(world, members)
        await world.work()
    raise AssertionError(f"{STATE.Name(round_.state)}: {round_.end_cause}")


async def collected(
    hostile: MemoryCoordinator, victims: Iterable[RunningMember]
) -> None:
    """Lead a hostile coordinator's round until everybody has contributed."""
    everybody = list(victims)
    for end in (None, hostile.end_joining, hostile.end_revealing):
        round_ = end() if end else hostile.round
        for running in everybody:
            await running.member.act(round_)


async def checked(hostile: MemoryCoordinator, victims: Iterable[RunningMember]) -> None:
    """Lead a hostile coordinator's round until everybody has checked the dealings."""
    everybody = list(victims)
    await collected(hostile, everybody)
    round_ = hostile.end_collecting()
    for running in everybody:
        await running.member.act(round_)


async def record_of(running: RunningMember, name: str) -> RoundRecord:
    """Return what a member's vault holds about a round."""
    record = await running.vault.find(name)
    assert record is not None
    return record


async def contribution_of(running: RunningMember, name: str) -> Contribution:
    """Return what a member sent to a round."""
    record = await record_of(running, name)
    assert record.contribution is not None
    return record.contribution


async def made_by(
    running: RunningMember, world: CoordinatorWorld, name: str
) -> Contribution:
    """Return a member's contribution to a round that has not taken it."""
    round_ = await world.client(running.member.name).get(name)
    record = await record_of(running, name)
    roster = await running.member._verified_roster(round_, record)
    return await running.member._contributing.contribution(round_, record, roster)


async def signed_by(
    running: RunningMember, sent: Contribution, body: bytes
) -> Contribution:
    """Return another body under a member's own valid signature."""
    record = await record_of(running, sent.round_name)
    digest = hashlib.sha256(body).digest()
    statement = statements.contribution_statement(
        sent.round_name,
        running.member.name,
        roster_hash=sent.roster_hash,
        body_sha256=digest,
    )
    signature = signing.sign(statement, record.held.keys)
    return replace(sent, body=body, sha256=digest, signature=signature)


@dataclass(frozen=True, slots=True)
class Said:
    """What one member said in a round, as the network has seen it."""

    join: pb2.JoinRoundRequest
    reveal: pb2.RevealBeaconRequest
    contribution: Contribution
    check: pb2.SubmitDealingCheckRequest
    opening: pb2.SubmitOpeningRequest


async def everything_said(running: RunningMember, round_: pb2.Round) -> Said:
    """Return a member's messages of a round that was opened; Ed25519 repeats itself."""
    record = await record_of(running, round_.name)
    assert record.contribution is not None
    assert record.check is not None
    assert record.answer is not None
    entry = next(row for row in round_.roster if row.member == running.member.name)
    binding = record.held.announcement.binding
    join = statements.join_statement(
        round_.name,
        running.member.name,
        keys=binding.keys,
        not_after_s=binding.not_after_s,
        commitment=entry.beacon_commitment,
    )
    reveal = statements.reveal_statement(
        round_.name, running.member.name, nonce=record.nonce
    )
    return Said(
        pb2.JoinRoundRequest(
            round=round_.name,
            keys=entry.keys,
            beacon_commitment=entry.beacon_commitment,
            signature=signing.sign(join, record.held.keys),
        ),
        pb2.RevealBeaconRequest(
            round=round_.name,
            nonce=record.nonce,
            signature=signing.sign(reveal, record.held.keys),
        ),
        record.contribution,
        pb2.SubmitDealingCheckRequest(
            round=round_.name,
            combinations=record.check.combinations,
            signature=record.check.signature,
        ),
        pb2.SubmitOpeningRequest(
            round=round_.name,
            share_sum=record.answer.share_sum,
            signature=record.answer.signature,
        ),
    )
