"""A router that cannot charge does not serve privately; the public goes on."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from federated_router.kit.errors import StoreUnavailable
from federated_router.kit.grpc_client import translated_errors
from tests.support.processes import Processes, Traced, private, public

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
DISK_BYTES = 4096
QUIET = '\n[log]\nlevel = "error"\n'
"""A log line is a write too, and would not fit on the full disk either."""


@contextmanager
def locked(federation: Processes) -> Iterator[None]:
    """Hold the ledger's write lock, as a hung backup would."""
    path = federation.layout.state("router") / "ledger.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


@contextmanager
def full_disk(federation: Processes) -> Iterator[None]:
    """Let the router write no file beyond its first bytes."""
    pid = federation.local.processes["router"].pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_ledger_that_is_locked_refuses_private_requests_only(
    federation: Processes,
) -> None:
    """UNAVAILABLE within the store's timeout, before any node hears of it."""
    trace = Traced()
    async with federation.calls() as calls:
        before = await calls.open_dataset()
        await calls.complete(private())
        before = await calls.account()

        with locked(federation):
            with pytest.raises(StoreUnavailable):
                async with translated_errors():
                    await calls.stream(private(), traced=trace).read()
            spoken = await calls.complete(public())
        served = await calls.complete(private())
        after = await calls.account()

    reached = [
        node for node in federation.nodes if federation.log_lines(node, trace.trace_id)
    ]
    assert reached == []
    assert spoken.finished.completion_tokens == 4
    assert served.finished.charge.units > 0
    assert after.spent_units >= before.spent_units + served.finished.charge.units
    assert after.held_units == 0


async def test_full_disk_refuses_private_requests_only(
    federation: Processes,
) -> None:
    """What cannot be made durable is not begun; space again, and it goes on."""
    trace = Traced()
    federation.configure("router", extra=QUIET)
    federation.kill("router")
    await federation.heal()
    try:
        async with federation.calls() as calls:
            await calls.open_dataset()
            await calls.complete(private())
            before = await calls.account()

            with full_disk(federation):
                with pytest.raises(StoreUnavailable):
                    async with translated_errors():
                        await calls.stream(private(), traced=trace).read()
                spoken = await calls.complete(public())
                during = await calls.account()
            served = await calls.complete(private())
            after = await calls.account()
    finally:
        federation.configure("router")
        federation.kill("router")

    reached = [
        node for node in federation.nodes if federation.log_lines(node, trace.trace_id)
    ]
    assert reached == []
    assert spoken.finished.completion_tokens == 4
    assert during.spent_units == before.spent_units
    assert after.spent_units == before.spent_units + served.finished.charge.units
    assert after.held_units == 0
