"""Members, a coordinator in memory and the certificates of both."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federated_router.federation.round_view import Round, RoundState
from federated_router.federation.statistics import FailureCause
from federated_router.kit.clock import ManualClock
from tests.support.round_coordinator import (
    CATALOGUE,
    CELL,
    NOISE,
    ROUND,
    MemoryCoordinator,
)
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
def coordinator(certificates: Certificates) -> MemoryCoordinator:
    """Return a coordinator with one round that can be joined."""
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
def vaults(tmp_path: Path) -> Path:
    """Return where members keep what they must not lose."""
    return tmp_path / "vaults"


@pytest.fixture
async def members(
    certificates: Certificates,
    coordinator: MemoryCoordinator,
    vaults: Path,
    clock: ManualClock,
) -> AsyncIterator[list[RunningMember]]:
    """Start four members, each with as many requests as its number and a failure."""
    started: list[RunningMember] = []
    for number, name in enumerate(NAMES, start=1):
        running = await start_member(
            certificates.credentials(name),
            client=coordinator.client(name),
            directory=vaults,
            clock=clock,
        )
        for _ in range(number):
            running.statistics.succeed(CELL, latency_ms_per_token=10.0)
        running.statistics.fail(CELL, FailureCause.ENGINE)
        started.append(running)
    yield started
    for running in started:
        await running.close()
