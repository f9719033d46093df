"""Disks: what was committed before a kill is there afterwards, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from coordinator.app import MIGRATIONS
from coordinator.simulation.disk import Disk, DiskDatabase, Fault
from coordinator.simulation.process import Process
from coordinator.simulation.store_faults import FaultOnce
from coordinator.simulation.virtual_loop import VirtualLoop, run_virtual
from federated_router.kit.errors import StoreUnavailable

INSERT = (
    "INSERT INTO priors (revision, round, create_s, catalogue_json, members, "
    "noise_standard_deviation, sums) VALUES (1, 'rounds/r', 0, '{}', 3, 1, x'00')"
)
ROUND = (
    "INSERT INTO rounds (name, request_sha256, terms_json, state, deadline_s, "
    "roster_hash, beacon, end_cause, priors_revision, version) "
    "VALUES ('rounds/r', x'00', '{}', 'joining', 0, x'', x'', '', 0, 0)"
)


def insert(connection: Connection) -> None:
    """Write one row."""
    connection.execute(text(ROUND))


def on_a_disk(work: Callable[[Disk], Awaitable[None]]) -> int:
    """Run `work` and return how many rounds the disk holds afterwards."""

    async def world(_: VirtualLoop) -> int:
        disk = Disk(MIGRATIONS)
        try:
            await work(disk)
            with disk.engine.connect() as connection:
                return int(
                    connection.execute(text("SELECT count(*) FROM rounds")).scalar_one()
                )
        finally:
            disk.close()

    return run_virtual(world, work_s=0.01)


async def _writes_and_dies(disk: Disk, fault: Fault) -> str:
    process = Process("coordinator")
    database = DiskDatabase(disk, process=process, faults=FaultOnce(1, fault))
    process.spawn(database.write("insert", insert))
    return await process.died()


@pytest.mark.parametrize(
    ("fault", "rows"), [(Fault.CRASH_BEFORE, 0), (Fault.CRASH_AFTER, 1)]
)
def test_kill_at_a_write_keeps_exactly_what_was_committed(
    fault: Fault, rows: int
) -> None:
    """Both sides of a commit are places where a real process can die."""

    async def work(disk: Disk) -> None:
        assert "killed" in await _writes_and_dies(disk, fault)

    assert on_a_disk(work) == rows


@pytest.mark.parametrize(
    ("fault", "rows"), [(Fault.FAIL_BEFORE, 0), (Fault.FAIL_AFTER, 1)]
)
def test_failed_write_tells_nothing_about_whether_it_took_effect(
    fault: Fault, rows: int
) -> None:
    """A store that timed out may have committed; callers see the same error."""

    async def work(disk: Disk) -> None:
        faults = FaultOnce(1, fault)
        database = DiskDatabase(disk, process=Process("p"), faults=faults)
        with pytest.raises(StoreUnavailable):
            await database.write("insert", insert)

    assert on_a_disk(work) == rows


def test_caller_who_hangs_up_does_not_stop_the_write() -> None:
    """The product's database promises this, and rounds rely on it."""

    async def work(disk: Disk) -> None:
        faults = FaultOnce(99, Fault.NONE)
        database = DiskDatabase(disk, process=Process("p"), faults=faults)
        caller = asyncio.create_task(database.write("insert", insert))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(1.0)

    assert on_a_disk(work) == 1


def test_nothing_of_a_killed_process_is_written_later() -> None:
    """A write that waited for its turn dies with its process."""

    async def work(disk: Disk) -> None:
        process = Process("p")
        faults = FaultOnce(99, Fault.NONE)
        database = DiskDatabase(disk, process=process, faults=faults)
        process.spawn(database.write("insert", insert))
        await asyncio.sleep(0)
        process.kill("enough")
        await process.died()
        await asyncio.sleep(1.0)

    assert on_a_disk(work) == 0


def test_schema_refuses_rows_as_the_real_database_does() -> None:
    """Foreign keys hold, and a refusal of the schema is no outage."""

    async def work(disk: Disk) -> None:
        faults = FaultOnce(99, Fault.NONE)
        database = DiskDatabase(disk, process=Process("p"), faults=faults)
        with pytest.raises(IntegrityError):
            await database.write("insert", lambda c: c.execute(text(INSERT)))

    assert on_a_disk(work) == 0


def test_reading_changes_nothing() -> None:
    """What is written inside a reading transaction is lost."""

    async def work(disk: Disk) -> None:
        faults = FaultOnce(99, Fault.NONE)
        database = DiskDatabase(disk, process=Process("p"), faults=faults)
        async with database.read("look") as connection:
            await connection.run_sync(insert)

    assert on_a_disk(work) == 0


def test_background_work_that_ends_kills_its_process_and_says_so() -> None:
    """A daemon without its background work must not look alive."""

    async def world(_: VirtualLoop) -> list[str]:
        process = Process("coordinator")

        async def broken() -> None:
            raise RuntimeError("broken")

        process.background(broken(), "rounds")
        await process.died()
        return process.ended_by

    (told,) = run_virtual(world, work_s=0.01)

    assert "rounds" in told
    assert "broken" in told
