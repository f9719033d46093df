"""MembersService: operators enrol, revoke and renew; every daemon hears of it.

Decides which call changes what, and that what is stored is in force in the same
moment. Refuses to sign anything: the authority's key is never here.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar, Final

import grpc
from google.protobuf.message import Message

from coordinator.members import identity_checks, messages
from coordinator.members.messages import Profile
from coordinator.members.offences import Faults
from coordinator.members.parts import Parts
from coordinator.members.record import Participation, RenewalRecord
from coordinator.members.rows import Request
from federated_router.api.v1 import members_pb2 as pb2
from federated_router.api.v1 import members_pb2_grpc
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import (
    FieldInvalid,
    NotFound,
)
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import is_id, resource_id
from federated_router.kit.pages import page_of, page_size_of

CAUSE_CHARACTERS_MAX: Final = 200
_OPERATORS = frozenset({Role.OPERATOR})
_MEMBERS = frozenset({Role.NODE, Role.ROUTER})


class MembersServicer(members_pb2_grpc.MembersServiceServicer):
    """Serves operators, members about themselves, and lists to everybody."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "EnrolMember": _OPERATORS,
        "GetMember": _OPERATORS,
        "ListMembers": _OPERATORS,
        "RevokeMember": _OPERATORS,
        "PublishRevocations": _OPERATORS,
        "GetRevocations": frozenset(Role),
        "WatchRevocations": frozenset(Role),
        "RequestRenewal": _MEMBERS,
        "GetRenewal": _MEMBERS,
        "ListRenewals": _OPERATORS,
        "IssueRenewal": _OPERATORS,
    }
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"WatchRevocations"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._publishing = asyncio.Lock()

    async def EnrolMember(
        self, request: pb2.EnrolMemberRequest, _: grpc.aio.ServicerContext
    ) -> pb2.EnrolMemberResponse:
        """Enrol a member by its certificate."""
        parts = self._parts
        if not is_id(request.request_id):
            raise FieldInvalid("Choose 1 to 63 safe characters.", field="request_id")
        member, now_s = identity_checks.member_name(request.member), self._now_s()
        certificate = identity_checks.certificate_for(
            member, request.certificate_der, trust=parts.trust, now_s=now_s
        )
        parts.revocations.current.refuse(certificate)
        parts.refuse_crowd(member)
        record = await parts.store.enrol(
            member,
            identity_checks.record_of(certificate),
            request=Request(request.request_id, _digest(request)),
            now_s=now_s,
        )
        parts.directory.put(record)
        return pb2.EnrolMemberResponse(member=await self._member(member))

    async def GetMember(
        self, request: pb2.GetMemberRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetMemberResponse:
        """Return one member."""
        member = identity_checks.member_name(request.member)
        self._parts.require_known(member)
        return pb2.GetMemberResponse(member=await self._member(member))

    async def ListMembers(
        self, request: pb2.ListMembersRequest, _: grpc.aio.ServicerContext
    ) -> pb2.ListMembersResponse:
        """List members by name."""
        parts = self._parts
        names = sorted({*parts.directory.names(), *parts.conducts.members()})
        page, token = page_of(
            names, lambda name: name, size=request.page_size, token=request.page_token
        )
        shown = await self._messages(page)
        return pb2.ListMembersResponse(members=shown, next_page_token=token)

    async def RevokeMember(
        self, request: pb2.RevokeMemberRequest, _: grpc.aio.ServicerContext
    ) -> pb2.RevokeMemberResponse:
        """Revoke a member, and put the list that says so in force."""
        parts = self._parts
        member, now_s = identity_checks.member_name(request.member), self._now_s()
        self._parts.require_known(member)
        if len(request.cause) > CAUSE_CHARACTERS_MAX:
            raise FieldInvalid(
                f"Use at most {CAUSE_CHARACTERS_MAX} characters.", field="cause"
            )
        async with self._publishing:
            found = self._parts.verified(request.revocation_list_der)
            record, conduct = parts.directory.of(member), parts.conducts.of(member)
            if record is not None:
                identity_checks.refuse_incomplete(found, record, now_s=now_s)
            if conduct is not None:
                identity_checks.refuse_seen(found, conduct.certificate, now_s=now_s)
            revoked = await parts.store.revoke(
                member, found, cause=request.cause, now_s=now_s
            )
            parts.directory.put(revoked)
            parts.revocations.take(found)
        return pb2.RevokeMemberResponse(member=await self._member(member))

    async def PublishRevocations(
        self, request: pb2.PublishRevocationsRequest, _: grpc.aio.ServicerContext
    ) -> pb2.PublishRevocationsResponse:
        """Put a newer list in force."""
        async with self._publishing:
            found = self._parts.verified(request.revocation_list_der)
            await self._parts.store.keep_list(found)
            self._parts.revocations.take(found)
        return pb2.PublishRevocationsResponse(number=found.number)

    async def GetRevocations(
        self, _request: pb2.GetRevocationsRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRevocationsResponse:
        """Return the newest list."""
        der = self._parts.revocations.current.der
        return pb2.GetRevocationsResponse(revocation_list_der=der)

    async def WatchRevocations(
        self, request: pb2.WatchRevocationsRequest, _: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.WatchRevocationsResponse, None]:
        """Stream lists that the caller does not hold, and signs of life."""
        seen = request.after_number
        async with aclosing(self._parts.newest.watch(progress=False)) as values:
            async for _newest in values:
                current = self._parts.revocations.current
                der = b""
                if current.number > seen:
                    seen, der = current.number, current.der
                yield pb2.WatchRevocationsResponse(revocation_list_der=der)

    async def RequestRenewal(
        self, request: pb2.RequestRenewalRequest, _: grpc.aio.ServicerContext
    ) -> pb2.RequestRenewalResponse:
        """Keep a member's request until an operator brings its certificate."""
        parts = self._parts
        member, der = MemberName(current_identity().member), request.signing_request_der
        identity_checks.refuse_request(member, der)
        conduct = parts.conducts.of(member)
        wanted = RenewalRecord(
            id=hashlib.sha256(member.encode() + b"\0" + der).hexdigest()[:32],
            member=member,
            signing_request_der=der,
            request_s=self._now_s(),
            expire_s=conduct.certificate.expire_s if conduct else 0.0,
        )
        response = pb2.RequestRenewalResponse(
            renewal=messages.renewal_message(await parts.store.ask_renewal(wanted))
        )
        response.poll_interval_duration.FromNanoseconds(
            round(parts.settings.renewal_poll_s * 1e9)
        )
        return response

    async def GetRenewal(
        self, request: pb2.GetRenewalRequest, _: grpc.aio.ServicerContext
    ) -> pb2.GetRenewalResponse:
        """Return a renewal to the member that asked for it."""
        renewal_id = resource_id(request.name, "renewals")
        renewal = await self._parts.store.renewal(renewal_id)
        if renewal.member != current_identity().member:
            raise NotFound("You asked for no such renewal.")
        return pb2.GetRenewalResponse(renewal=messages.renewal_message(renewal))

    async def ListRenewals(
        self, request: pb2.ListRenewalsRequest, _: grpc.aio.ServicerContext
    ) -> pb2.ListRenewalsResponse:
        """List the requests that wait."""
        size = page_size_of(request.page_size)
        found = await self._parts.store.pending(after=request.page_token, size=size + 1)
        page = found[:size]
        return pb2.ListRenewalsResponse(
            renewals=[messages.renewal_message(one) for one in page],
            next_page_token=page[-1].id if len(found) > size else "",
        )

    async def IssueRenewal(
        self, request: pb2.IssueRenewalRequest, _: grpc.aio.ServicerContext
    ) -> pb2.IssueRenewalResponse:
        """Take the certificate that the authority signed for a request."""
        parts = self._parts
        renewal_id = resource_id(request.name, "renewals")
        renewal = await parts.store.renewal(renewal_id)
        certificate = identity_checks.certificate_for(
            renewal.member,
            request.certificate_der,
            trust=parts.trust,
            now_s=self._now_s(),
        )
        identity_checks.refuse_other_key(renewal, certificate)
        parts.revocations.current.refuse(certificate)
        issued, record = await parts.store.issue(
            renewal_id,
            request.certificate_der,
            identity_checks.record_of(certificate),
        )
        if record is not None:
            parts.directory.put(record)
        return pb2.IssueRenewalResponse(renewal=messages.renewal_message(issued))

    async def _member(self, member: MemberName) -> pb2.Member:
        (message,) = await self._messages([member])
        return message

    async def _messages(self, members: Sequence[MemberName]) -> list[pb2.Member]:
        parts = self._parts
        told = await parts.store.participation(members)
        faults = await parts.offences(members)
        profiles = [
            Profile(
                name=member,
                record=parts.directory.of(member),
                conduct=parts.conducts.of(member),
                participation=told.get(member, Participation()),
                faults=faults.get(member, Faults()),
            )
            for member in members
        ]
        return [messages.member_message(one, now_s=self._now_s()) for one in profiles]

    def _now_s(self) -> float:
        return self._parts.clock.now_s()


def _digest(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
