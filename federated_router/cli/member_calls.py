"""The calls behind `member`, each to the coordinator."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from federated_router.api.v1 import members_pb2 as pb
from federated_router.api.v1 import members_pb2_grpc as pb_grpc
from federated_router.cli.session import CALL_TIMEOUT_S, Caller, ask
from federated_router.kit.identity import Role

Answer = TypeVar("Answer")


def every_member(path: Path) -> list[pb.Member]:
    """Return all members, page by page."""
    found: list[pb.Member] = []
    page = _page(path, "")
    found.extend(page.members)
    while page.next_page_token:
        page = _page(path, page.next_page_token)
        found.extend(page.members)
    return found


def _page(path: Path, token: str) -> pb.ListMembersResponse:
    request = pb.ListMembersRequest(page_token=token)
    page: pb.ListMembersResponse = _ask(
        path, lambda stub: stub.ListMembers(request, timeout=CALL_TIMEOUT_S)
    )
    return page


def member_of(path: Path, member: str) -> pb.Member:
    """Return one member; raise MemberUnknown."""
    request = pb.GetMemberRequest(member=member)
    answer: pb.GetMemberResponse = _ask(
        path, lambda stub: stub.GetMember(request, timeout=CALL_TIMEOUT_S)
    )
    return answer.member


def enrol(
    path: Path, member: str, certificate_der: bytes, *, caller: Caller | None
) -> pb.Member:
    """Enrol a member by its certificate (DER)."""
    request = pb.EnrolMemberRequest(
        request_id=f"cli-{secrets.token_hex(8)}",
        member=member,
        certificate_der=certificate_der,
    )
    answer: pb.EnrolMemberResponse = _ask(
        path,
        lambda stub: stub.EnrolMember(request, timeout=CALL_TIMEOUT_S),
        caller=caller,
    )
    return answer.member


def published_list(path: Path) -> bytes:
    """Return the newest revocation list of the coordinator (DER); empty for none."""
    request = pb.GetRevocationsRequest()
    answer: pb.GetRevocationsResponse = _ask(
        path, lambda stub: stub.GetRevocations(request, timeout=CALL_TIMEOUT_S)
    )
    return answer.revocation_list_der


def revoke(
    path: Path,
    member: str,
    revocation_list_der: bytes,
    *,
    cause: str,
    caller: Caller | None,
) -> pb.Member:
    """Revoke a member with a list (DER) that the authority signed."""
    request = pb.RevokeMemberRequest(
        member=member, revocation_list_der=revocation_list_der, cause=cause
    )
    answer: pb.RevokeMemberResponse = _ask(
        path,
        lambda stub: stub.RevokeMember(request, timeout=CALL_TIMEOUT_S),
        caller=caller,
    )
    return answer.member


def waiting_renewals(path: Path) -> list[pb.CertificateRenewal]:
    """Return the first page of renewals that wait; signed ones make room for more."""
    request = pb.ListRenewalsRequest()
    answer: pb.ListRenewalsResponse = _ask(
        path, lambda stub: stub.ListRenewals(request, timeout=CALL_TIMEOUT_S)
    )
    return list(answer.renewals)


def issue_renewal(path: Path, name: str, certificate_der: bytes) -> None:
    """Bring the certificate (DER) of a renewal."""
    request = pb.IssueRenewalRequest(name=name, certificate_der=certificate_der)
    _ask(path, lambda stub: stub.IssueRenewal(request, timeout=CALL_TIMEOUT_S))


def _ask(
    path: Path,
    call: Callable[[pb_grpc.MembersServiceStub], Awaitable[Answer]],
    *,
    caller: Caller | None = None,
) -> Answer:
    return ask(
        path,
        Role.COORDINATOR,
        lambda channel: call(pb_grpc.MembersServiceStub(channel)),
        caller=caller,
    )
