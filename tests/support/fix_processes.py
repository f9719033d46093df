"""Federations of real processes: started once a session, healed before each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Processes


@pytest.fixture(scope="session")
def endless_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a model that never ends by itself."""
    from tests.support.processes import build_endless_model

    return build_endless_model(tmp_path_factory.mktemp("endless"))


def _running(directory: Path, model: Path, *, nodes: int) -> Iterator[Processes]:
    made = Processes.prepared(directory, model, nodes=nodes)
    try:
        made.launch(*made.local.plans)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def two_nodes(
    tmp_path_factory: pytest.TempPathFactory, endless_model: Path
) -> Iterator[Processes]:
    """Run a router, a coordinator and two nodes."""
    yield from _running(tmp_path_factory.mktemp("two"), endless_model, nodes=2)


@pytest.fixture(scope="session")
def three_nodes(
    tmp_path_factory: pytest.TempPathFactory, endless_model: Path
) -> Iterator[Processes]:
    """Run a router, a coordinator and three nodes: four members of rounds."""
    yield from _running(tmp_path_factory.mktemp("three"), endless_model, nodes=3)


@pytest.fixture
async def pair(two_nodes: Processes) -> Processes:
    """Return the federation of two nodes, whole."""
    await two_nodes.heal()
    return two_nodes


@pytest.fixture
async def federation(three_nodes: Processes) -> Processes:
    """Return the federation of three nodes, whole."""
    await three_nodes.heal()
    return three_nodes
