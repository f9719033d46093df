"""One good run for many tests, and silence: simulations say thousands of lines."""

from collections.abc import Iterator

import pytest
import structlog

from coordinator.simulation.plan import SimulationPlan
from coordinator.simulation.run import Played, play

Told = list[tuple[int, str]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep logs off the screen while a test runs."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="package")
def told() -> Told:
    """Return what the progress of the fixture's run was told."""
    return []


@pytest.fixture(scope="package")
def played(told: Told) -> Played:
    """Two exact rounds of five honest members."""
    return play(
        SimulationPlan(seed=1, members=5, rounds=2, exact=True),
        progress=lambda number, state: told.append((number, state)),
    )
