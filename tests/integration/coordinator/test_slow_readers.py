"""Members that do not read, over real connections: they lose their call and its place.

gRPC buffers what its receiver has not read, and tells no handler of a unary call.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest

from coordinator.rounds.answers import Answers
from coordinator.rounds.callers import caller
from coordinator.rounds.service import AggregationServicer
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.kit.authority import IdentityFiles
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from federated_router.kit.identity import Role
from tests.support.round_member import TRUST_DOMAIN, Certificates

ANSWER_BYTES = 16 * 1024 * 1024
"""More than kernels hold for a receiver that reads nothing (`tcp_wmem`: 4 MiB)."""

SMALL_BYTES = 1024

FORWARDED_BYTES = 16 * 1024
"""Enough for a handshake."""

Ask = Callable[
    [aggregation_pb2_grpc.AggregationServiceStub], Coroutine[None, None, None]
]
DESCRIPTOR = pb2.DESCRIPTOR.services_by_name["AggregationService"]


class LargeAnswers(aggregation_pb2_grpc.AggregationServiceServicer):
    """Answers as the coordinator does: `node/slow` with more than anybody else."""

    CALLERS = AggregationServicer.CALLERS

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    async def GetRoster(  # noqa: N802 - the contract names it.
        self, _: pb2.GetRosterRequest, context: grpc.aio.ServicerContext
    ) -> pb2.GetRosterResponse:
        """Return one member with a nonce of another length."""
        await self.answers.until_read(caller(), ANSWER_BYTES, context)
        member = pb2.RosterMember(beacon_nonce=bytes(size_bytes()))
        return pb2.GetRosterResponse(members=[member])

    async def DownloadShares(  # noqa: N802 - the contract names it.
        self, _: pb2.DownloadSharesRequest, __: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb2.DownloadSharesResponse, None]:
        """Yield two parts."""
        async with self.answers.streamed(caller(), ANSWER_BYTES):
            for _part in range(2):
                yield pb2.DownloadSharesResponse(chunk=bytes(size_bytes() // 2))


def size_bytes() -> int:
    """Return how much the caller is sent."""
    return ANSWER_BYTES if caller() == "node/slow" else SMALL_BYTES


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Return an authority."""
    return Certificates(tmp_path / "pki")


@asynccontextmanager
async def served(
    certificates: Certificates, *, timeout_s: float
) -> AsyncIterator[tuple[str, Answers]]:
    """Serve large answers, one at a time."""
    answers = Answers(bytes_max=ANSWER_BYTES, timeout_s=timeout_s)
    bound = build_server(
        settings=ServerSettings(message_bytes_max=2 * ANSWER_BYTES),
        tls=tls(certificates.issue("coordinator/main")),
        trust_domain=TRUST_DOMAIN,
        bindings=[ServiceBinding(DESCRIPTOR, LargeAnswers(answers))],
        health_state=Health([DESCRIPTOR.full_name]),
    )
    await bound.server.start()
    try:
        yield bound.address, answers
    finally:
        await bound.server.stop(0)


def tls(files: IdentityFiles) -> TlsSettings:
    """Return issued files as settings."""
    return TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
    )


@asynccontextmanager
async def stalling(address: str) -> AsyncIterator[str]:
    """Forward to `address`; of what comes back only the first FORWARDED_BYTES."""
    host, _, port = address.rpartition(":")
    pumps: set[asyncio.Task[None]] = set()

    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        behind = socket.socket()
        # The kernel would hold a whole answer, which is not this process's memory.
        behind.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FORWARDED_BYTES)
        behind.settimeout(0)
        await asyncio.get_running_loop().sock_connect(behind, (host, int(port)))
        back_reader, back_writer = await asyncio.open_connection(sock=behind)
        pumps.add(asyncio.create_task(pump(reader, back_writer, most=1 << 30)))
        pumps.add(asyncio.create_task(pump(back_reader, writer, most=FORWARDED_BYTES)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, most: int
) -> None:
    """Forward so many bytes, then hold the connection open and read no more."""
    try:
        while most > 0 and (content := await reader.read(min(most, 4096))):
            writer.write(content)
            await writer.drain()
            most -= len(content)
        await asyncio.Event().wait()
    finally:
        writer.close()


@asynccontextmanager
async def stub_of(
    certificates: Certificates, member: str, address: str
) -> AsyncIterator[aggregation_pb2_grpc.AggregationServiceStub]:
    """Connect as a member."""
    channels = Channels(tls(certificates.issue(member)), trust_domain=TRUST_DOMAIN)
    async with channels.open(address, role=Role.COORDINATOR) as channel:
        yield aggregation_pb2_grpc.AggregationServiceStub(channel)


async def until(answers: Answers, under_way: int) -> None:
    """Wait for so many bytes under way."""
    async with asyncio.timeout(30):
        while answers.under_way != under_way:
            await asyncio.sleep(0.01)


async def ask_for_roster(stub: aggregation_pb2_grpc.AggregationServiceStub) -> None:
    """Ask, and hear of the end of the call or not."""
    with suppress(grpc.aio.AioRpcError):
        await stub.GetRoster(pb2.GetRosterRequest(round="rounds/r"), timeout=30)


async def ask_for_shares(stub: aggregation_pb2_grpc.AggregationServiceStub) -> None:
    """Ask, and hear of the end of the call or not."""
    with suppress(grpc.aio.AioRpcError):
        request = pb2.DownloadSharesRequest(round="rounds/r")
        async for _ in stub.DownloadShares(request, timeout=30):
            pass


@pytest.mark.parametrize("ask", [ask_for_roster, ask_for_shares])
async def test_member_that_does_not_read_loses_its_place(
    certificates: Certificates, ask: Ask
) -> None:
    """Its place is taken while the answer waits in gRPC's buffers, and then freed."""
    async with (
        served(certificates, timeout_s=2.0) as (address, answers),
        stalling(address) as slow_address,
        stub_of(certificates, "node/slow", slow_address) as slow,
        stub_of(certificates, "node/other", address) as other,
    ):
        stalled = asyncio.create_task(ask(slow))
        await until(answers, ANSWER_BYTES)
        await asyncio.sleep(0.3)
        assert answers.under_way == ANSWER_BYTES

        answer = await other.GetRoster(
            pb2.GetRosterRequest(round="rounds/r"), timeout=30
        )

        assert answer.ByteSize() >= SMALL_BYTES
        await until(answers, 0)
        stalled.cancel()
        await asyncio.gather(stalled, return_exceptions=True)


async def test_member_that_reads_leaves_its_place_at_once(
    certificates: Certificates,
) -> None:
    """No answer may hold its place until the time limit."""
    async with (
        served(certificates, timeout_s=60.0) as (address, answers),
        stub_of(certificates, "node/quick", address) as quick,
    ):
        request = pb2.DownloadSharesRequest(round="rounds/r")
        for _ in range(3):
            roster = await quick.GetRoster(
                pb2.GetRosterRequest(round="rounds/r"), timeout=30
            )
            shares = [one async for one in quick.DownloadShares(request, timeout=30)]
            assert roster.ByteSize() >= SMALL_BYTES
            assert sum(len(one.chunk) for one in shares) == SMALL_BYTES

        await until(answers, 0)
        assert answers.under_way == 0
