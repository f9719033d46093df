"""Members renew their own certificates, and keep within their rates."""

import asyncio
from pathlib import Path

import pytest

from federated_router.api.v1 import (
    aggregation_pb2,
    aggregation_pb2_grpc,
    members_pb2,
)
from federated_router.federation.renewal import Draft
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Identity, Role
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.members_world import (
    TIMEOUT_S,
    MembersWorld,
    member_of,
    members_world,
    refusal,
)

pytestmark = pytest.mark.asyncio
NEWEST = "rounds/-"
State = members_pb2.Member.State


async def test_renewal_is_issued_for_the_name_and_key_that_asked(
    world: MembersWorld, pki: Pki
) -> None:
    """The coordinator verifies what the operator brings; nobody else's key passes."""
    own = pki.tls(Role.NODE, "n")
    await world.enrol(own, "node/n")
    member, operator = await world.members(own), await world.operator()
    identity = Identity(Role.NODE, "n", DOMAIN)
    draft, other = Draft.of(identity), Draft.of(identity)
    asked = await member.RequestRenewal(
        members_pb2.RequestRenewalRequest(signing_request_der=draft.signing_request_der)
    )
    listed = await operator.ListRenewals(members_pb2.ListRenewalsRequest())
    wrong = pki.authority.sign_request(identity, other.signing_request_der)
    right = pki.authority.sign_request(identity, draft.signing_request_der)

    refused = await refusal(
        operator.IssueRenewal(
            members_pb2.IssueRenewalRequest(
                name=asked.renewal.name, certificate_der=wrong
            )
        )
    )
    await operator.IssueRenewal(
        members_pb2.IssueRenewalRequest(name=asked.renewal.name, certificate_der=right)
    )
    got = await member.GetRenewal(
        members_pb2.GetRenewalRequest(name=asked.renewal.name)
    )

    assert [one.name for one in listed.renewals] == [asked.renewal.name]
    assert isinstance(refused, errors.SignatureInvalid)
    assert got.renewal.certificate_der == right
    assert len((await member_of(world, "node/n")).certificates) == 2


async def test_member_renews_and_reads_its_own_name_only(
    world: MembersWorld, pki: Pki
) -> None:
    """Else a member could take another's place, or its request's."""
    one, two = pki.tls(Role.NODE, "o"), pki.tls(Role.NODE, "p")
    await world.enrol(one, "node/o")
    await world.enrol(two, "node/p")
    own, other = await world.members(one), await world.members(two)
    foreign = Draft.of(Identity(Role.NODE, "p", DOMAIN)).signing_request_der
    draft = Draft.of(Identity(Role.NODE, "o", DOMAIN)).signing_request_der
    asked = await own.RequestRenewal(
        members_pb2.RequestRenewalRequest(signing_request_der=draft)
    )

    as_other = await refusal(
        own.RequestRenewal(
            members_pb2.RequestRenewalRequest(signing_request_der=foreign)
        )
    )
    read = await refusal(
        other.GetRenewal(members_pb2.GetRenewalRequest(name=asked.renewal.name))
    )

    assert isinstance(as_other, errors.FieldInvalid)
    assert type(read) is errors.NotFound


async def test_member_that_calls_too_often_is_slowed_down(
    pki: Pki, tmp_path: Path
) -> None:
    """The burst is let through, the next call is told when to come back."""
    async with members_world(
        pki, tmp_path, calls_burst=3, calls_per_minute_max=1
    ) as world:
        rounds = await world.rounds(pki.tls(Role.NODE, "t"))
        request = aggregation_pb2.ListRoundsRequest()
        for _ in range(3):
            await rounds.ListRounds(request, timeout=TIMEOUT_S)
        refused = await refusal(rounds.ListRounds(request, timeout=TIMEOUT_S))
        other = await world.rounds(pki.tls(Role.NODE, "u"))
        await other.ListRounds(request, timeout=TIMEOUT_S)
        seen = await member_of(world, "node/t")

    assert isinstance(refused, errors.RateLimited)
    assert refused.retry_after_s is not None
    assert seen.rate_limited_count == 1
    assert seen.state == State.STATE_SEEN


async def admitted(rounds: aggregation_pb2_grpc.AggregationServiceStub) -> bool:
    """Return whether a good call is answered, and not slowed down any more."""
    try:
        async with translated_errors():
            await rounds.ListRounds(
                aggregation_pb2.ListRoundsRequest(), timeout=TIMEOUT_S
            )
    except errors.RateLimited:
        return False
    return True


async def test_member_that_sends_rubbish_is_refused_for_a_while(
    pki: Pki, tmp_path: Path
) -> None:
    """And shows in the list, with the number of messages that were refused."""
    async with members_world(
        pki, tmp_path, malformed_per_hour_max=2, suspension_s=1.5
    ) as world:
        own = pki.tls(Role.NODE, "v")
        rounds = await world.rounds(own)
        rubbish = aggregation_pb2.GetRoundRequest(name="no round")
        for _ in range(2):
            await refusal(rounds.GetRound(rubbish, timeout=TIMEOUT_S))
        good = aggregation_pb2.ListRoundsRequest()
        refused = await refusal(rounds.ListRounds(good, timeout=TIMEOUT_S))
        seen = await member_of(world, "node/v")
        async with asyncio.timeout(30):
            while not await admitted(rounds):
                await asyncio.sleep(0.1)

    assert isinstance(refused, errors.RateLimited)
    assert seen.malformed_count == 2
    assert seen.HasField("suspend_until_time")
