"""Whom the coordinator takes as a member, and that a restart forgets nobody."""

from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import members_pb2
from federated_router.kit import errors
from federated_router.kit.identity import Role
from tests.support.fix_pki import Pki
from tests.support.members_world import (
    TIMEOUT_S,
    MembersWorld,
    der_of,
    join,
    members_world,
    refusal,
)

pytestmark = pytest.mark.asyncio
NEWEST = "rounds/-"
State = members_pb2.Member.State


async def test_second_certificate_for_another_name_is_no_second_member(
    world: MembersWorld, pki: Pki
) -> None:
    """A Sybil holds certificates of the authority; no operator enrolled them."""
    own, second = pki.tls(Role.NODE, "a"), pki.tls(Role.NODE, "a-2")

    await world.enrol(own, "node/a")
    admitted = await join(world, own)
    refused = await join(world, second)

    assert not isinstance(admitted, errors.MemberNotEnrolled)
    assert isinstance(refused, errors.MemberNotEnrolled)


async def test_enrolment_binds_the_certificate_and_not_the_name_alone(
    world: MembersWorld, pki: Pki
) -> None:
    """Another certificate of the same name was never shown to an operator."""
    own = pki.tls(Role.NODE, "b")
    await world.enrol(own, "node/b")
    other = pki.tls(Role.NODE, "b")

    assert isinstance(await join(world, other), errors.MemberNotEnrolled)


async def test_certificate_of_one_member_enrols_no_other(
    world: MembersWorld, pki: Pki
) -> None:
    """The name in the call must be the one that the authority signed."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.enrol(pki.tls(Role.NODE, "c"), "node/d")

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_certificate_of_another_authority_is_not_enrolled(
    world: MembersWorld, foreign_pki: Pki
) -> None:
    """Only what the federation's authority signed may take part."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.enrol(foreign_pki.tls(Role.NODE, "c"), "node/c")

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_same_enrolment_again_changes_nothing(
    world: MembersWorld, pki: Pki
) -> None:
    """An operator whose call was lost repeats it; with another body it is refused."""
    own, operator = pki.tls(Role.NODE, "e"), await world.operator()
    request = members_pb2.EnrolMemberRequest(
        request_id="same", member="node/e", certificate_der=der_of(own)
    )
    first = await operator.EnrolMember(request, timeout=TIMEOUT_S)
    again = await operator.EnrolMember(request, timeout=TIMEOUT_S)
    request.member, request.certificate_der = (
        "node/f",
        der_of(pki.tls(Role.NODE, "f")),
    )

    assert again == first
    assert isinstance(
        await refusal(operator.EnrolMember(request, timeout=TIMEOUT_S)),
        errors.RequestIdReused,
    )


async def test_members_survive_a_restart(pki: Pki, tmp_path: Path) -> None:
    """Enrolments and revocations are on disk before they are confirmed."""
    kept, gone = pki.tls(Role.NODE, "q"), pki.tls(Role.NODE, "s")
    async with members_world(pki, tmp_path, enrolment="required") as first:
        await first.enrol(kept, "node/q")
        await first.enrol(gone, "node/s")
        await first.revoke("node/s", gone)
    async with members_world(pki, tmp_path, enrolment="required") as second:
        refused = await join(second, gone)
        admitted = await join(second, kept)
        listed = await (await second.operator()).ListMembers(
            members_pb2.ListMembersRequest(page_size=1)
        )

    assert isinstance(refused, errors.MemberRevoked)
    assert not isinstance(admitted, errors.NotAllowed)
    assert [one.name for one in listed.members] == ["node/q"]
    assert listed.next_page_token
