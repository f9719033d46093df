"""What tests of rounds stand on: authorities, and a directory in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.round_member import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the federation's authority, one for all tests."""
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return another authority that nobody trusts, which issues the same names."""
    return Certificates(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory in memory where there is one: these files are many."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made inside.
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)
