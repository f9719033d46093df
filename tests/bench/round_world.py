"""The product's coordinator and four of its members, over gRPC and mTLS.

All in one process and event loop; their stores are files, their noise is the real one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from coordinator.app import build
from coordinator.config import (
    CatalogueSettings,
    CoordinatorSettings,
    RoundSettings,
    StoreSettings,
)
from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc as pb_grpc
from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import open_membership
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import SystemClock
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.priors.catalogue import Cell
from tests.bench.bench_identities import DOMAIN, Identities

MEMBERS = (
    (Role.NODE, "node-1"),
    (Role.NODE, "node-2"),
    (Role.NODE, "node-3"),
    (Role.ROUTER, "router"),
)
MODELS = tuple(f"model-{number}" for number in range(1, 9))
REGIONS = ("north", "south", "east", "west")
NOISE_SCALE = 4.0
REQUESTS = 200
ROUND_TIMEOUT_S = 60.0
ENDED = (pb.Round.STATE_PUBLISHED, pb.Round.STATE_REJECTED, pb.Round.STATE_ABORTED)


@dataclass(frozen=True, slots=True)
class RoundWorld:
    """An operator's door to the coordinator."""

    stub: pb_grpc.AggregationServiceStub

    async def run_round(self, request_id: str) -> pb.Round:
        """Open a round and return it published; raise RuntimeError otherwise."""
        created = await self.stub.CreateRound(
            pb.CreateRoundRequest(request_id=request_id, members_expected=len(MEMBERS)),
            timeout=ROUND_TIMEOUT_S,
        )
        request = pb.WatchRoundRequest(name=created.round.name)
        call = self.stub.WatchRound(request, timeout=ROUND_TIMEOUT_S)
        try:
            async for response in call:
                if response.round.state in ENDED:
                    return _published(response.round)
        finally:
            call.cancel()
        raise RuntimeError("The watch ended before the round did.")


def _published(ended: pb.Round) -> pb.Round:
    if ended.state != pb.Round.STATE_PUBLISHED:
        raise RuntimeError(f"The round was not published: {ended.end_cause}")
    return ended


@asynccontextmanager
async def round_world(folder: Path) -> AsyncIterator[RoundWorld]:
    """Run coordinator and members until left."""
    identities = Identities(folder / "pki")
    for role, peer_id in (*MEMBERS, (Role.COORDINATOR, "main"), (Role.OPERATOR, "op")):
        identities.issue(role, peer_id)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(_coordinator(identities, folder))
        for role, peer_id in MEMBERS:
            await stack.enter_async_context(
                _member(identities, role, peer_id, folder=folder, address=address)
            )
        operator = Channels(identities.tls(Role.OPERATOR, "op"), trust_domain=DOMAIN)
        channel = await stack.enter_async_context(
            operator.open(address, role=Role.COORDINATOR)
        )
        yield RoundWorld(pb_grpc.AggregationServiceStub(channel))


@asynccontextmanager
async def _coordinator(identities: Identities, folder: Path) -> AsyncIterator[str]:
    daemon = await build(
        CoordinatorSettings(
            tls=identities.tls(Role.COORDINATOR, "main"),
            store=StoreSettings(
                url=f"sqlite+aiosqlite:///{folder.resolve() / 'rounds.sqlite'}"
            ),
            catalogue=CatalogueSettings(models=MODELS, regions=REGIONS),
            rounds=RoundSettings(noise_scale=NOISE_SCALE, participation_min=0.75),
        )
    )
    running = asyncio.create_task(daemon.run())
    try:
        yield daemon.address
    finally:
        daemon.stop()
        await running


@asynccontextmanager
async def _member(
    identities: Identities, role: Role, peer_id: str, *, folder: Path, address: str
) -> AsyncIterator[None]:
    tls = identities.tls(role, peer_id)
    settings = MembershipSettings(
        coordinator=address,
        vault=folder / f"{peer_id}.sqlite",
        noise_scale_min=NOISE_SCALE,
        participation_min=0.75,
        backoff_s_min=0.05,
        backoff_s_max=0.2,
    )
    channels = Channels(tls, trust_domain=DOMAIN)
    async with channels.open(address, role=Role.COORDINATOR) as channel:
        membership = await open_membership(
            settings,
            credentials=Credentials.load(
                certificate=tls.certificate,
                private_key=tls.private_key,
                authority=tls.authority,
            ),
            channel=channel,
            statistics=_statistics(),
            clock=SystemClock(),
            receive=lambda _: None,
        )
        tasks = [
            asyncio.create_task(membership.participate()),
            asyncio.create_task(membership.follow()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await membership.close()


def _statistics() -> Statistics:
    statistics = Statistics()
    for number in range(REQUESTS):
        cell = Cell(f"models/{MODELS[number % len(MODELS)]}", REGIONS[number % 4])
        statistics.succeed(cell, latency_ms_per_token=5.0 + number % 40)
    return statistics
