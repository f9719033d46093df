"""Fixtures come in families, one file each."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from federated_router.kit import log

pytest_plugins = (
    "tests.support.fix_pki",
    "tests.support.fix_processes",
    "tests.support.fix_rounds",
    "tests.support.fix_router",
)

# What a test asserts is never how long it took: these machines are shared.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("everyday", UNHURRIED, max_examples=50)
settings.register_profile("thorough", UNHURRIED, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))


@pytest.fixture(autouse=True)
def _threshold_of_logs() -> Iterator[None]:
    """Leave the log's threshold, which belongs to the process, as it was found."""
    before = log.get_level()
    yield
    log.set_level(before)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what waits for processes and databases first.

    Such files are few and long: one that begins last would keep all other processes
    waiting for it.
    """
    items.sort(key=lambda item: "/integration/" not in item.nodeid)
