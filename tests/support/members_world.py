"""A coordinator that knows its members, and everybody who calls it.

It runs in the test's event loop behind its real server: mutual TLS, the interceptor,
the gate. The authority's key is the test's, as it is an operator's and never the
coordinator's.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from coordinator.app import build
from coordinator.config import CoordinatorSettings
from federated_router.api.v1 import (
    aggregation_pb2,
    aggregation_pb2_grpc,
    members_pb2,
    members_pb2_grpc,
)
from federated_router.kit import errors
from federated_router.kit.config import TlsSettings
from federated_router.kit.daemon import Daemon
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.identity import Role
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.running import running

TIMEOUT_S = 10.0


def der_of(tls: TlsSettings) -> bytes:
    """Return an identity's certificate."""
    return parsed(tls).public_bytes(Encoding.DER)


def parsed(tls: TlsSettings) -> x509.Certificate:
    """Return an identity's certificate, read."""
    return x509.load_pem_x509_certificate(tls.certificate.read_bytes())


@dataclass(slots=True)
class MembersWorld:
    """A running coordinator, and channels to it."""

    daemon: Daemon
    pki: Pki
    stack: AsyncExitStack
    requests: int = 0
    lists: int = 0
    revoked: set[int] = field(default_factory=set)

    async def channel(self, tls: TlsSettings) -> grpc.aio.Channel:
        """Dial the coordinator as somebody."""
        channels = Channels(tls, trust_domain=DOMAIN)
        return await self.stack.enter_async_context(
            channels.open(self.daemon.address, role=Role.COORDINATOR)
        )

    async def members(self, tls: TlsSettings) -> members_pb2_grpc.MembersServiceStub:
        """Return somebody's stub of MembersService."""
        return members_pb2_grpc.MembersServiceStub(await self.channel(tls))

    async def rounds(
        self, tls: TlsSettings
    ) -> aggregation_pb2_grpc.AggregationServiceStub:
        """Return somebody's stub of AggregationService."""
        return aggregation_pb2_grpc.AggregationServiceStub(await self.channel(tls))

    async def operator(self) -> members_pb2_grpc.MembersServiceStub:
        """Return the operator's stub of MembersService."""
        return await self.members(self.pki.tls(Role.OPERATOR, "op"))

    async def enrol(self, tls: TlsSettings, member: str) -> members_pb2.Member:
        """Enrol a member as the operator."""
        self.requests += 1
        response = await (await self.operator()).EnrolMember(
            members_pb2.EnrolMemberRequest(
                request_id=f"enrol-{self.requests}",
                member=member,
                certificate_der=der_of(tls),
            ),
            timeout=TIMEOUT_S,
        )
        enrolled: members_pb2.Member = response.member
        return enrolled

    def revocation_list(self, *revoked: TlsSettings) -> bytes:
        """Return the authority's next list, which forgets nothing."""
        self.lists += 1
        self.revoked |= {parsed(one).serial_number for one in revoked}
        return signed_list(self.pki, self.revoked, number=self.lists)

    async def revoke(self, member: str, *tls: TlsSettings) -> members_pb2.Member:
        """Revoke a member and its certificates as the operator."""
        response = await (await self.operator()).RevokeMember(
            members_pb2.RevokeMemberRequest(
                member=member,
                revocation_list_der=self.revocation_list(*tls),
                cause="left",
            ),
            timeout=TIMEOUT_S,
        )
        revoked: members_pb2.Member = response.member
        return revoked


def signed_list(pki: Pki, serials: Iterable[int], *, number: int) -> bytes:
    """Return a list that the authority signed."""
    return pki.authority.revocation_list(
        serials, number=number, now=datetime.now(tz=UTC)
    )


@asynccontextmanager
async def members_world(
    pki: Pki, directory: Path, **members: object
) -> AsyncIterator[MembersWorld]:
    """Run a coordinator whose section [members] is `members`."""
    state = f"sqlite+aiosqlite:///{directory}"
    settings = CoordinatorSettings.model_validate(
        {
            "tls": pki.tls(Role.COORDINATOR, "c1").model_dump(),
            "server": {"stop_grace_s": 0.2},
            "store": {"url": f"{state}/rounds.sqlite"},
            "budget": {
                "url": f"{state}/ledger.sqlite",
                "audit_key": str(directory / "audit.key"),
            },
            "catalogue": {"models": ["m"], "regions": ["north"]},
            "rounds": {"noise_scale": 40.0, "budget": {"epsilon": "10"}},
            "watch": {"sign_of_life_s": 0.5, "progress_s": 0.1},
            "members": members,
        }
    )
    async with running(await build(settings)) as daemon, AsyncExitStack() as stack:
        yield MembersWorld(daemon, pki, stack)


async def refusal(call: Awaitable[object]) -> errors.FederationError:
    """Return how a call is refused."""
    with pytest.raises(errors.FederationError) as refused:
        async with translated_errors():
            await call
    return refused.value


async def join(world: MembersWorld, tls: TlsSettings) -> errors.FederationError:
    """Return how a join is refused: nobody joins a round that is not there."""
    rounds = await world.rounds(tls)
    request = aggregation_pb2.JoinRoundRequest(
        round="rounds/none",
        keys=aggregation_pb2.MemberKeys(
            signing_key=b"k",
            sealing_key=b"k",
            binding_signature=b"s",
            certificate_der=b"c",
            not_after_s=1,
        ),
        beacon_commitment=b"c",
        signature=b"s",
    )
    return await refusal(rounds.JoinRound(request, timeout=TIMEOUT_S))


async def member_of(world: MembersWorld, name: str) -> members_pb2.Member:
    """Return a member as the operator sees it."""
    response = await (await world.operator()).GetMember(
        members_pb2.GetMemberRequest(member=name), timeout=TIMEOUT_S
    )
    member: members_pb2.Member = response.member
    return member
