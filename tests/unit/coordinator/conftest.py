"""A coordinator on a file, four members with known statistics, certificates."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federated_router.kit.clock import ManualClock
from tests.support.coordinator_world import CELL, CoordinatorWorld
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
    """Start a coordinator; tests may kill and restart it."""
    started = CoordinatorWorld(certificates, directory, clock)
    await started.start()
    yield started
    await started.kill()


@pytest.fixture
async def members(
    world: CoordinatorWorld, directory: Path
) -> AsyncIterator[list[RunningMember]]:
    """Start four members; number n has n requests."""
    started: list[RunningMember] = []
    for number, name in enumerate(NAMES, start=1):
        running = await start_member(
            world.certificates.credentials(name),
            client=world.client(name),
            directory=directory / "vaults",
            clock=world.clock,
        )
        for _ in range(number):
            running.statistics.succeed(CELL, latency_ms_per_token=10.0)
        started.append(running)
    yield started
    for running in started:
        await running.close()
