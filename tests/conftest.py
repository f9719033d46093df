"""Fixtures come in families, one file each."""

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from federated_router.kit import log

pytest_plugins = (
    "tests.support.fix_pki",
    "tests.support.fix_processes",
    "tests.support.fix_rounds",
    "tests.support.fix_router",
)

TOGETHER = ("tests/integration/processes",)
"""Folders whose tests share daemons that take long to start."""

MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private directory in it.
MEMORY_BYTES_MIN = 4 * 2**30

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


def pytest_configure() -> None:
    """Keep what tests write in memory, where there is room for it.

    Ledgers wait for the disk at each commit, and tests make hundreds of them. What is
    tested is killed processes, which lose nothing that was written, and no lost power.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what was imported and collected out of every later garbage collection.

    That are millions of objects which live to the end; looking through them again and
    again took a tenth of all time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadFileScheduling | None:
    """Hand out whole files, and those that share processes as if they were one."""
    is_by_file = config.getoption("dist") == "loadfile"
    return TogetherScheduling(config, log) if is_by_file else None


class TogetherScheduling(LoadFileScheduling):  # type: ignore[misc] # untyped.
    """Runs all tests of one federation of processes where it was started."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder = file.rpartition("/")[0]
        return folder if folder in TOGETHER else file


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what waits for processes and databases first.

    Such files are few and long: one that begins last would keep all other processes
    waiting for it.
    """
    items.sort(
        key=lambda item: (
            not item.nodeid.startswith(TOGETHER),
            "/integration/" not in item.nodeid,
        )
    )
