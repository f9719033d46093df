"""Backups carry synthesis jobs, and a restore never lets a batch be sampled twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated_router.budget.backup.archive import back_up
from federated_router.budget.backup.format import FORMAT_WITHOUT_ANNEXES
from federated_router.budget.backup.restore import Restore, RestoreSummary, restore
from federated_router.budget.reservation import RequestId
from federated_router.cli.budget import app
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, NotNow
from federated_router.synthesis.backup import SYNTHESES
from federated_router.synthesis.job import BatchState, JobState
from federated_router.synthesis.store import SynthesisStore
from tests.support.audit_world import TOKEN, release
from tests.support.backup_world import (
    LARGE,
    backed_up,
    ledger,
    lines_of,
    restored,
    write_anew,
)
from tests.support.synthesis_store_conformance import (
    JOB,
    KEY,
    OWNER,
    batch,
    digests,
    start,
)

NewUrl = Callable[[str], str]
KINDS = ["sqlite", "postgres"]


async def jobs_at(url: str, clock: ManualClock) -> SynthesisStore:
    """Open the store of jobs."""
    return await SynthesisStore.open(url, clock=clock, timeout_s=30.0)


async def with_a_job(url: str, clock: ManualClock, *, held: bool = True) -> None:
    """Make a ledger whose one job has a text, and a batch that is being sampled."""
    books = await ledger(url, clock)
    await books.create_account(LARGE)
    if held:
        await books.reserve(
            release(RequestId(KEY), TOKEN, [LARGE], steps_max=JOB.tokens_max)
        )
    await books.close()
    jobs = await jobs_at(url, clock)
    await jobs.create(JOB, open_jobs_max=2)
    await jobs.opened(KEY)
    for number in (0, 1):
        lease_s = clock.now_s() + 60.0
        await jobs.start(KEY, batch(number, lease_s), digests(number), live_max=4)
    await jobs.end(KEY, 0, owner=OWNER, tokens=3, content=b"a text")
    await jobs.close()


async def saved(url: str, path: Path, clock: ManualClock) -> None:
    """Back a ledger up, with its jobs."""
    await back_up(
        url, path, clock=clock, tell=lambda _table, _rows: None, annexes=(SYNTHESES,)
    )


async def brought_back(
    url: str, path: Path, clock: ManualClock, *, nothing_since: bool
) -> RestoreSummary:
    """Restore a backup, with its jobs."""
    wanted = Restore(
        path=path,
        restored_by="eve",
        reason="the disk died",
        nothing_since=nothing_since,
        annexes=(SYNTHESES,),
    )
    return await restore(url, wanted, clock=clock, tell=lambda _table, _rows: None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the backup goes."""
    return tmp_path / "ledger.backup"


@pytest.mark.parametrize("kinds", list(product(KINDS, KINDS)), ids="-to-".join)
async def test_job_goes_on_where_the_operator_vouches_for_it(
    new_url: NewUrl, path: Path, clock: ManualClock, kinds: tuple[str, str]
) -> None:
    """Texts and records are there; what was being sampled is spent for good."""
    one, two = map(new_url, kinds)
    await with_a_job(one, clock)
    await saved(one, path, clock)

    made = await brought_back(two, path, clock, nothing_since=True)

    assert made.stopped == {SYNTHESES.name: 0}
    jobs = await jobs_at(two, clock)
    told = await jobs.load(KEY)
    assert told.job == replace(JOB, state=JobState.OPEN)
    assert (told.tally.sampled, told.tally.spent, told.tally.live) == (1, 1, 0)
    text = await jobs.batch(KEY, 0)
    assert text is not None
    assert text.content == b"a text"
    with pytest.raises(FieldInvalid):  # Its records are known to be in batch 0.
        await jobs.start(KEY, batch(2), digests(0), live_max=4)
    await start(jobs, 2)
    await jobs.close()


@pytest.mark.parametrize("target", KINDS)
async def test_job_takes_no_batch_where_nobody_vouches(
    new_url: NewUrl, path: Path, clock: ManualClock, target: str
) -> None:
    """Batch 2 may have been sampled after the backup; so it counts as spent."""
    one, two = new_url("sqlite"), new_url(target)
    await with_a_job(one, clock)
    await saved(one, path, clock)

    made = await brought_back(two, path, clock, nothing_since=False)

    assert made.stopped == {SYNTHESES.name: 1}
    jobs = await jobs_at(two, clock)
    told = await jobs.load(KEY)
    assert told.job.state is JobState.FINISHING
    assert (told.tally.sampled, told.tally.spent) == (1, 2)
    unknown = await jobs.batch(KEY, 2)
    assert unknown is not None
    assert unknown.state is BatchState.SPENT
    with pytest.raises(NotNow):
        await start(jobs, 2)
    await jobs.close()


async def test_open_job_without_a_hold_is_no_sound_backup(
    new_url: NewUrl, path: Path, clock: ManualClock
) -> None:
    """Its texts would be free. Nothing of such a file stays in the database."""
    one, two = new_url("sqlite"), new_url("sqlite")
    await with_a_job(one, clock, held=False)
    await saved(one, path, clock)

    with pytest.raises(FieldInvalid, match="damaged"):
        await brought_back(two, path, clock, nothing_since=True)

    jobs = await jobs_at(two, clock)
    assert not await jobs.list("alice", after="", count=1)
    await jobs.close()


async def test_database_with_jobs_of_its_own_takes_no_backup(
    new_url: NewUrl, path: Path, clock: ManualClock
) -> None:
    """Two histories of one job would be none."""
    one, two = new_url("sqlite"), new_url("sqlite")
    await with_a_job(one, clock)
    await saved(one, path, clock)
    jobs = await jobs_at(two, clock)
    await jobs.create(JOB, open_jobs_max=1)
    await jobs.close()

    with pytest.raises(NotNow):
        await brought_back(two, path, clock, nothing_since=True)


async def test_backup_with_jobs_is_not_restored_without_them(
    new_url: NewUrl, path: Path, clock: ManualClock
) -> None:
    """A program that does not know them must not leave them out unsaid."""
    one = new_url("sqlite")
    await with_a_job(one, clock)
    await saved(one, path, clock)

    with pytest.raises(FieldInvalid, match="more than a ledger"):
        await restored(new_url("sqlite"), path, clock)


async def test_backup_of_an_earlier_version_is_restored(
    new_url: NewUrl, path: Path, clock: ManualClock
) -> None:
    """Such a file names no annex and has no jobs."""
    one = new_url("sqlite")
    books = await ledger(one, clock)
    await books.create_account(LARGE)
    await books.close()
    await backed_up(one, path, clock)
    header, *rest = lines_of(path)
    del header["annexes"]
    write_anew(path, [{**header, "format": FORMAT_WITHOUT_ANNEXES}, *rest])

    made = await brought_back(new_url("sqlite"), path, clock, nothing_since=False)

    assert made.header.annexes == {}
    assert made.stopped == {}


@pytest.mark.parametrize("vouched", [False, True])
def test_commands_carry_jobs_and_say_which_stopped(
    new_url: NewUrl, path: Path, clock: ManualClock, *, vouched: bool
) -> None:
    """An operator reads what became of jobs, or that there were none."""
    url, more = new_url("sqlite"), ["--nothing-since"] if vouched else []
    asyncio.run(with_a_job(url, clock))
    runner = CliRunner()

    made = runner.invoke(app, ["backup", str(path), "--url", url])
    words = ["restore", str(path), "--url", new_url("sqlite"), "--reason", "x", *more]
    back = runner.invoke(app, words)

    assert made.exit_code == back.exit_code == 0, back.output
    assert "synthesis_batches" in made.output
    assert ("take no further batch: 1" in back.output) is not vouched
