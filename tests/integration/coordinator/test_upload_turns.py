"""Bodies wait at members until the coordinator has room, over real connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from coordinator.rounds.callers import caller
from coordinator.rounds.service import AggregationServicer
from coordinator.rounds.uploads import Uploads, chunks_of, header_of
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.crypto.transcript import RosterHash
from federated_router.federation.grpc_rounds import GrpcRounds
from federated_router.federation.round_view import Contribution
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.errors import LimitReached
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from federated_router.kit.identity import Role
from tests.support.round_member import TRUST_DOMAIN, Certificates

BODY = bytes(range(256)) * 1024
DESCRIPTOR = pb2.DESCRIPTOR.services_by_name["AggregationService"]


class OneUpload(aggregation_pb2_grpc.AggregationServiceServicer):
    """Takes bodies as the coordinator does, one at a time, when the door is open."""

    CALLERS = AggregationServicer.CALLERS

    def __init__(self, *, wait_s: float, silent: bool) -> None:
        self.uploads = Uploads(uploads_max=1, wait_s=wait_s)
        self.silent = silent
        self.door = asyncio.Event()
        self.begun: list[str] = []
        self.bodies: dict[str, bytes] = {}

    async def SubmitContribution(  # noqa: N802 - the contract names it.
        self,
        requests: AsyncIterator[pb2.SubmitContributionRequest],
        context: grpc.aio.ServicerContext,
    ) -> pb2.SubmitContributionResponse:
        """Keep a body once the door is open."""
        await header_of(requests)
        self.begun.append(caller())
        if self.silent:
            await self._keep(requests)
        else:
            async with self.uploads.place(caller(), context):
                await self.door.wait()
                await self._keep(requests)
        return pb2.SubmitContributionResponse()

    async def _keep(
        self, requests: AsyncIterator[pb2.SubmitContributionRequest]
    ) -> None:
        chunks = [chunk async for chunk in chunks_of(requests)]
        self.bodies[caller()] = b"".join(chunks)


class CountedBody(bytes):
    """A body that says how often a part of it was asked for, and when first."""

    reads = 0
    first_read_s = 0.0

    def __getitem__(self, part: slice) -> bytes:  # type: ignore[override] # all it is asked.
        """Count, and return the part."""
        self.first_read_s = self.first_read_s or time.monotonic()
        self.reads += 1
        return super().__getitem__(part)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Return an authority."""
    return Certificates(tmp_path / "pki")


def tls(certificates: Certificates, name: str) -> TlsSettings:
    """Return an identity as settings."""
    files = certificates.issue(name)
    return TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
    )


@asynccontextmanager
async def served(
    certificates: Certificates, *, wait_s: float, silent: bool = False
) -> AsyncIterator[tuple[str, OneUpload]]:
    """Serve one upload at a time; a silent server says nothing before its answer."""
    servicer = OneUpload(wait_s=wait_s, silent=silent)
    bound = build_server(
        settings=ServerSettings(),
        tls=tls(certificates, "coordinator/main"),
        trust_domain=TRUST_DOMAIN,
        bindings=[ServiceBinding(DESCRIPTOR, servicer)],
        health_state=Health([DESCRIPTOR.full_name]),
    )
    await bound.server.start()
    try:
        yield bound.address, servicer
    finally:
        await bound.server.stop(0)


@asynccontextmanager
async def member_of(
    certificates: Certificates, name: str, address: str, *, call_timeout_s: float = 20.0
) -> AsyncIterator[GrpcRounds]:
    """Connect as a member."""
    channels = Channels(tls(certificates, name), trust_domain=TRUST_DOMAIN)
    async with channels.open(address, role=Role.COORDINATOR) as channel:
        yield GrpcRounds(channel, call_timeout_s=call_timeout_s, silence_s_max=20.0)


def contribution(body: bytes) -> Contribution:
    """Return what a member would send; nothing of it is looked at."""
    return Contribution(
        round_name="rounds/r",
        roster_hash=RosterHash(bytes(32)),
        body=body,
        sha256=bytes(32),
        signature=bytes(64),
    )


async def test_body_is_not_sent_before_there_is_room_for_it(
    certificates: Certificates,
) -> None:
    """Else a thousand bodies would lie in the coordinator's receive buffers."""
    async with (
        served(certificates, wait_s=30.0) as (address, servicer),
        member_of(certificates, "node/first", address) as first,
        member_of(certificates, "node/second", address) as second,
    ):
        body = CountedBody(BODY)
        sending = asyncio.create_task(first.contribute(contribution(BODY)))
        async with asyncio.timeout(30):
            while servicer.uploads.running == 0:
                await asyncio.sleep(0.01)
        waiting = asyncio.create_task(second.contribute(contribution(body)))
        async with asyncio.timeout(30):
            while servicer.begun != ["node/first", "node/second"]:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert body.reads == 0

        servicer.door.set()
        await asyncio.wait_for(asyncio.gather(sending, waiting), timeout=30)

    assert body.reads > 0
    assert servicer.bodies == {"node/first": BODY, "node/second": BODY}


async def test_member_whose_turn_does_not_come_hears_to_come_again(
    certificates: Certificates,
) -> None:
    """It waits for `send` no longer than for the call, and tries again."""
    async with (
        served(certificates, wait_s=0.2) as (address, servicer),
        member_of(certificates, "node/first", address) as first,
        member_of(certificates, "node/second", address) as second,
    ):
        sending = asyncio.create_task(first.contribute(contribution(BODY)))
        async with asyncio.timeout(30):
            while servicer.uploads.running == 0:
                await asyncio.sleep(0.01)

        with pytest.raises(LimitReached):
            await asyncio.wait_for(second.contribute(contribution(BODY)), timeout=30)

        servicer.door.set()
        await asyncio.wait_for(sending, timeout=30)
        await asyncio.wait_for(second.contribute(contribution(BODY)), timeout=30)

    assert servicer.bodies == {"node/first": BODY, "node/second": BODY}


async def test_body_is_sent_to_a_coordinator_that_never_asks_for_it(
    certificates: Certificates,
) -> None:
    """One that knows no turns: half of the call's time is left for the body."""
    async with (
        served(certificates, wait_s=30.0, silent=True) as (address, servicer),
        member_of(certificates, "node/first", address, call_timeout_s=6.0) as first,
    ):
        body, began_s = CountedBody(BODY), time.monotonic()

        await asyncio.wait_for(first.contribute(contribution(body)), timeout=30)

    assert body.first_read_s - began_s >= 0.5 * 6.0
    assert servicer.begun == ["node/first"]
    assert servicer.bodies == {"node/first": BODY}
