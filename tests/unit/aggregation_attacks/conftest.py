"""A coordinator on a file, one in memory, four members of each, two authorities."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federated_router.federation.round_view import Round, RoundsClient, RoundState
from federated_router.kit.clock import ManualClock
from tests.support.coordinator_world import CELL, CoordinatorWorld
from tests.support.round_coordinator import CATALOGUE, NOISE, ROUND, MemoryCoordinator
from tests.support.round_member import (
    NAMES,
    Certificates,
    RunningMember,
    start_member,
)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock inside the certificates' lifetime."""
    return ManualClock(time.time())


@pytest.fixture
async def world(
    certificates: Certificates, clock: ManualClock, directory: Path
) -> AsyncIterator[CoordinatorWorld]:
    """Start the product's coordinator."""
    started = CoordinatorWorld(certificates, directory, clock)
    await started.start()
    yield started
    await started.kill()


@pytest.fixture
def hostile(certificates: Certificates) -> MemoryCoordinator:
    """Return a coordinator with a good certificate that does what a test wants."""
    return MemoryCoordinator(
        credentials=certificates.credentials("coordinator/main"),
        round=Round(
            name=ROUND,
            state=RoundState.JOINING,
            catalogue=CATALOGUE,
            noise=NOISE,
            participation_min=0.75,
            history=frozenset({RoundState.JOINING}),
        ),
    )


@pytest.fixture
async def members(
    world: CoordinatorWorld, directory: Path
) -> AsyncIterator[list[RunningMember]]:
    """Start four members of the product's coordinator; number n has n requests."""
    started = [
        await _member(
            world.certificates, name, world.client(name), directory, world.clock
        )
        for name in NAMES
    ]
    _record(started)
    yield started
    for running in started:
        await running.close()


@pytest.fixture
async def victims(
    certificates: Certificates,
    hostile: MemoryCoordinator,
    directory: Path,
    clock: ManualClock,
) -> AsyncIterator[list[RunningMember]]:
    """Start four members of the hostile coordinator; number n has n requests."""
    started = [
        await _member(certificates, name, hostile.client(name), directory, clock)
        for name in NAMES
    ]
    _record(started)
    yield started
    for running in started:
        await running.close()


async def _member(
    certificates: Certificates,
    name: str,
    client: RoundsClient,
    directory: Path,
    clock: ManualClock,
) -> RunningMember:
    return await start_member(
        certificates.credentials(name),
        client=client,
        directory=directory / "vaults",
        clock=clock,
    )


def _record(started: list[RunningMember]) -> None:
    for number, running in enumerate(started, start=1):
        for _ in range(number):
            running.statistics.succeed(CELL, latency_ms_per_token=10.0)
