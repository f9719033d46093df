"""The coordinator as a daemon: mutual TLS, real streams, four members, a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import grpc
import pytest

from coordinator.app import build
from coordinator.charging.settings import LedgerSettings, RoundBudgetSettings
from coordinator.config import (
    CoordinatorSettings,
    RoundSettings,
    StoreSettings,
    WatchSettings,
)
from coordinator.priors.settings import CatalogueSettings
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import open_membership
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.kit.authority import IdentityFiles
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.daemon import Daemon
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    FieldRequired,
    RequestIdReused,
    RoleNotAllowed,
    RoundStateWrong,
    RoundUnknown,
)
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.identity import Role
from federated_router.priors.contents import Cell
from federated_router.priors.publication import Priors
from tests.support.round_member import NAMES, TRUST_DOMAIN, Certificates, no_noise

CELL = Cell("models/a", "eu")
ENDED_S_MAX = 30.0
ENDED = frozenset(
    {
        pb2.Round.STATE_PUBLISHED,
        pb2.Round.STATE_REJECTED,
        pb2.Round.STATE_ABORTED,
    }
)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return one authority for all tests."""
    return Certificates(tmp_path_factory.mktemp("pki"))


def tls(files: IdentityFiles) -> TlsSettings:
    """Return issued files as settings."""
    return TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
    )


@dataclass
class Federation:
    """One coordinator that can be restarted, and channels to it."""

    certificates: Certificates
    directory: Path
    stack: AsyncExitStack
    address: str = "127.0.0.1:0"
    daemon: Daemon | None = None
    running: asyncio.Task[None] | None = None
    coordinator_tls: TlsSettings | None = field(default=None)

    async def start(self) -> None:
        """Start the coordinator on the address that it had before, if any."""
        if self.coordinator_tls is None:
            self.coordinator_tls = tls(self.certificates.issue("coordinator/main"))
        settings = CoordinatorSettings(
            tls=self.coordinator_tls,
            server=ServerSettings(address=self.address, stop_grace_s=0.2),
            store=StoreSettings(url=f"sqlite+aiosqlite:///{self.directory}/c.sqlite"),
            catalogue=CatalogueSettings(
                models=("a",), regions=("eu",), slot_max=1000, samples_min=0
            ),
            budget=LedgerSettings(
                url=f"sqlite+aiosqlite:///{self.directory}/ledger.sqlite",
                audit_key=self.directory / "audit-key.pem",
            ),
            rounds=RoundSettings(
                noise_scale=4.0,
                participation_min=0.75,
                budget=RoundBudgetSettings(epsilon=Decimal(2000)),
            ),
            watch=WatchSettings(progress_s=0.1),
        )
        self.daemon = await build(settings)
        self.address = self.daemon.address
        self.running = asyncio.create_task(self.daemon.run())

    async def stop(self) -> None:
        """Stop it in an orderly way."""
        assert self.daemon is not None
        assert self.running is not None
        self.daemon.stop()
        await self.running

    def channel(self, name: str) -> grpc.aio.Channel:
        """Return a channel as `role/id`."""
        channels = Channels(
            tls(self.certificates.issue(name)), trust_domain=TRUST_DOMAIN
        )
        channel = channels.open(self.address, role=Role.COORDINATOR)
        self.stack.push_async_callback(channel.close)
        return channel

    def stub(self, name: str) -> aggregation_pb2_grpc.AggregationServiceStub:
        """Return the service as `role/id` calls it."""
        return aggregation_pb2_grpc.AggregationServiceStub(self.channel(name))

    async def join(self, name: str, *, requests: int, received: list[Priors]) -> None:
        """Run a member with so many requests until the test ends."""
        files = self.certificates.issue(name)
        statistics = Statistics()
        for _ in range(requests):
            statistics.succeed(CELL, latency_ms_per_token=10.0)

        async def keep(priors: Priors) -> None:
            received.append(priors)

        membership = await open_membership(
            MembershipSettings(
                coordinator=self.address,
                vault=self.directory / f"{name.replace('/', '-')}.sqlite",
                noise_scale_min=1.4,
                participation_min=0.5,
                backoff_s_max=0.3,
            ),
            credentials=Credentials.load(
                certificate=files.certificate,
                private_key=files.private_key,
                authority=files.authority,
            ),
            channel=Channels(tls(files), trust_domain=TRUST_DOMAIN).open(
                self.address, role=Role.COORDINATOR
            ),
            statistics=statistics,
            clock=SystemClock(),
            receive=keep,
            noise=no_noise,
        )
        self.stack.push_async_callback(membership.close)
        for work in (membership.participate, membership.follow):
            task = asyncio.create_task(_cancellable(work()))
            self.stack.push_async_callback(_cancelled, task)


async def _cancellable(work: object) -> None:
    await work  # type: ignore[misc]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def federation(
    certificates: Certificates, directory: Path
) -> AsyncIterator[Federation]:
    """Run a coordinator until the end."""
    async with AsyncExitStack() as stack:
        made = Federation(certificates, directory, stack)
        await made.start()
        stack.push_async_callback(made.stop)
        yield made


@pytest.fixture
async def running(
    certificates: Certificates, tmp_path: Path
) -> AsyncIterator[Federation]:
    """Run a coordinator on a port of its own."""
    async with federation(certificates, tmp_path) as made:
        yield made


async def ended(running: Federation, name: str) -> pb2.Round:
    """Watch a round until it has ended."""
    stub = running.stub("operator/op")
    async with asyncio.timeout(ENDED_S_MAX):
        while True:
            call = stub.WatchRound(pb2.WatchRoundRequest(name=name))
            try:
                async for response in call:
                    if response.round.state in ENDED:
                        found: pb2.Round = response.round
                        return found
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - it is.
            finally:
                call.cancel()
            await asyncio.sleep(0.1)


async def heard(received: list[Priors], times: int) -> None:
    """Wait until members were handed priors so many times."""
    async with asyncio.timeout(ENDED_S_MAX):
        while len(received) < times:
            await asyncio.sleep(0.02)


async def create(running: Federation, request_id: str = "request-1") -> pb2.Round:
    """Open a round for four members."""
    request = pb2.CreateRoundRequest(request_id=request_id, members_expected=4)
    async with translated_errors():
        response = await running.stub("operator/op").CreateRound(request, timeout=30)
    made: pb2.Round = response.round
    return made


async def test_four_members_publish_their_exact_sum(running: Federation) -> None:
    """The whole way over real streams, to the priors that every member follows."""
    received: list[Priors] = []
    for number, name in enumerate(NAMES, start=1):
        await running.join(name, requests=number, received=received)

    round_ = await ended(running, (await create(running)).name)
    await heard(received, 4)

    assert round_.state == pb2.Round.STATE_PUBLISHED, round_.end_cause
    assert len(round_.survivors) == 4
    assert {priors.revision for priors in received} == {1}
    assert received[0].performance[CELL].requests == 10


async def test_restarted_daemon_finishes_the_round_with_the_same_members(
    running: Federation,
) -> None:
    """Members come back to a coordinator that was away; nothing is counted twice."""
    received: list[Priors] = []
    for number, name in enumerate(NAMES[:3], start=1):
        await running.join(name, requests=number, received=received)
    name = (await create(running)).name

    await running.stop()
    await running.start()
    await running.join(NAMES[3], requests=4, received=received)
    round_ = await ended(running, name)

    assert round_.state == pb2.Round.STATE_PUBLISHED, round_.end_cause
    await heard(received, 1)
    assert received[0].performance[CELL].requests == 10


async def test_calls_are_refused_with_their_reasons(running: Federation) -> None:
    """Wrong role, unknown round, missing fields, reused ids: each has its reason."""
    operator, node = running.stub("operator/op"), running.stub("node/node-1")
    opened = await create(running)
    refused: list[tuple[object, type[FederationError]]] = [
        (node.CreateRound(pb2.CreateRoundRequest(request_id="x")), RoleNotAllowed),
        (operator.JoinRound(pb2.JoinRoundRequest(round="rounds/x")), RoleNotAllowed),
        (operator.CreateRound(pb2.CreateRoundRequest()), FieldRequired),
        (operator.CreateRound(pb2.CreateRoundRequest(request_id="X")), FieldInvalid),
        (
            operator.CreateRound(
                pb2.CreateRoundRequest(request_id="other", members_expected=4)
            ),
            RoundStateWrong,
        ),
        (
            operator.CreateRound(
                pb2.CreateRoundRequest(request_id="request-1", members_expected=5)
            ),
            RequestIdReused,
        ),
        (operator.GetRound(pb2.GetRoundRequest(name="rounds/none")), RoundUnknown),
        (operator.GetRound(pb2.GetRoundRequest(name="round")), FieldInvalid),
        (operator.ListRounds(pb2.ListRoundsRequest(page_size=-1)), FieldInvalid),
        (node.JoinRound(pb2.JoinRoundRequest(round=opened.name)), FieldRequired),
    ]

    for call, error in refused:
        with pytest.raises(error):
            async with translated_errors():
                await call  # type: ignore[misc]

    assert (await create(running)).name == opened.name


async def test_operator_aborts_and_lists_rounds(running: Federation) -> None:
    """An abort is final and idempotent, and the next round may open."""
    operator = running.stub("operator/op")
    first = await create(running)
    abort = pb2.AbortRoundRequest(name=first.name, cause="maintenance")
    await operator.AbortRound(abort)
    aborted = (await operator.AbortRound(abort)).round
    second = await create(running, "request-2")

    page = await operator.ListRounds(pb2.ListRoundsRequest(page_size=1))
    rest = await operator.ListRounds(
        pb2.ListRoundsRequest(page_size=5, page_token=page.next_page_token)
    )

    assert aborted.end_cause == "Aborted by operator/op: maintenance"
    assert [round_.name for round_ in page.rounds] == [second.name]
    assert [round_.name for round_ in rest.rounds] == [first.name]
    assert rest.next_page_token == ""


async def test_watch_shows_no_round_and_then_the_first(running: Federation) -> None:
    """A member may watch before there is anything to see."""
    call = running.stub("node/node-1").WatchRound(
        pb2.WatchRoundRequest(name="rounds/-")
    )

    before = await call.read()
    opened = await create(running)
    after = await call.read()
    call.cancel()

    assert not before.HasField("round")
    assert after.round.name == opened.name
    assert after.round.noise.scale == 4.0
