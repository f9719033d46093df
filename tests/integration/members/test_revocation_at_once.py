"""A certificate that is taken back is of no use from that moment on."""

import asyncio

import grpc
import pytest

from federated_router.api.v1 import aggregation_pb2, members_pb2
from federated_router.kit import errors
from federated_router.kit.identity import Role
from tests.support.fix_pki import Pki
from tests.support.members_world import (
    TIMEOUT_S,
    MembersWorld,
    member_of,
    parsed,
    refusal,
    signed_list,
)

pytestmark = pytest.mark.asyncio
NEWEST = "rounds/-"
State = members_pb2.Member.State


async def test_revoked_member_is_refused_at_once_and_its_stream_ends(
    world: MembersWorld, pki: Pki
) -> None:
    """The connection still stands; the next call on it and the one that runs fail."""
    own = pki.tls(Role.NODE, "g")
    await world.enrol(own, "node/g")
    rounds = await world.rounds(own)
    watch = rounds.WatchRound(aggregation_pb2.WatchRoundRequest(name=NEWEST))
    await watch.read()

    revoked = await world.revoke("node/g", own)
    async with asyncio.timeout(30):
        ended = await refusal(_to_end(watch))
    refused = await refusal(
        rounds.ListRounds(aggregation_pb2.ListRoundsRequest(), timeout=TIMEOUT_S)
    )

    assert revoked.state == State.STATE_REVOKED
    assert revoked.revoke_cause == "left"
    assert isinstance(ended, errors.MemberRevoked)
    assert isinstance(refused, errors.MemberRevoked)


async def test_others_stay_when_one_is_revoked(world: MembersWorld, pki: Pki) -> None:
    """A list that sends everybody away would be a way to stop the federation."""
    gone, kept = pki.tls(Role.NODE, "h"), pki.tls(Role.NODE, "i")
    await world.enrol(gone, "node/h")
    await world.enrol(kept, "node/i")
    rounds = await world.rounds(kept)
    watch = rounds.WatchRound(aggregation_pb2.WatchRoundRequest(name=NEWEST))
    await watch.read()

    await world.revoke("node/h", gone)
    answer = await rounds.ListRounds(
        aggregation_pb2.ListRoundsRequest(), timeout=TIMEOUT_S
    )

    assert await watch.read() is not grpc.aio.EOF
    assert not answer.rounds
    watch.cancel()


async def test_list_must_hold_the_members_certificates_and_all_before(
    world: MembersWorld, pki: Pki
) -> None:
    """A REVOKED member with a valid certificate, or a list that forgets, is a lie."""
    one, two = pki.tls(Role.NODE, "j"), pki.tls(Role.NODE, "k")
    await world.enrol(one, "node/j")
    await world.enrol(two, "node/k")
    operator = await world.operator()
    await world.revoke("node/j", one)

    for serials, number in (
        ([parsed(one).serial_number], 7),
        ([parsed(two).serial_number], 7),
        ([parsed(one).serial_number, parsed(two).serial_number], 1),
    ):
        request = members_pb2.RevokeMemberRequest(
            member="node/k",
            revocation_list_der=signed_list(pki, serials, number=number),
        )
        refused = await refusal(operator.RevokeMember(request, timeout=TIMEOUT_S))
        assert isinstance(refused, errors.FieldInvalid)

    assert (await member_of(world, "node/k")).state == State.STATE_ENROLLED


async def test_list_of_another_authority_revokes_nobody(
    world: MembersWorld, pki: Pki, foreign_pki: Pki
) -> None:
    """Neither the coordinator nor an operator without the key can revoke."""
    own = pki.tls(Role.NODE, "l")
    await world.enrol(own, "node/l")
    forged = signed_list(foreign_pki, [parsed(own).serial_number], number=1)
    operator = await world.operator()

    for call in (
        operator.RevokeMember(
            members_pb2.RevokeMemberRequest(member="node/l", revocation_list_der=forged)
        ),
        operator.PublishRevocations(
            members_pb2.PublishRevocationsRequest(revocation_list_der=forged)
        ),
    ):
        assert isinstance(await refusal(call), errors.SignatureInvalid)


async def test_everybody_hears_of_a_new_list(world: MembersWorld, pki: Pki) -> None:
    """A router that watches learns of a revocation while it happens."""
    own, router = pki.tls(Role.NODE, "m"), pki.tls(Role.ROUTER, "r")
    await world.enrol(own, "node/m")
    stub = await world.members(router)
    watch = stub.WatchRevocations(members_pb2.WatchRevocationsRequest())
    nothing = await watch.read()

    await world.revoke("node/m", own)
    async with asyncio.timeout(30):
        heard = b""
        while not heard:
            heard = (await watch.read()).revocation_list_der
    watch.cancel()
    answer = await stub.GetRevocations(
        members_pb2.GetRevocationsRequest(), timeout=TIMEOUT_S
    )

    assert nothing.revocation_list_der == b""
    assert heard == answer.revocation_list_der


async def _to_end(
    watch: "grpc.aio.UnaryStreamCall[object, object]",
) -> None:
    while await watch.read() is not grpc.aio.EOF:
        pass
