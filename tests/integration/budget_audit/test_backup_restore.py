"""A restored ledger is the ledger that was backed up, on either database."""

import asyncio
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.sql.schema import CHAIN, ENTRIES
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, NotNow
from tests.support.audit_world import (
    OWNER,
    TERMS,
    TOKEN,
    WARD,
    check,
    export_lines,
    random_history,
    release,
)
from tests.support.backup_world import (
    LARGE,
    SEED,
    all_rows,
    audited,
    backed_up,
    filled,
    ledger,
    restored,
)

NewUrl = Callable[[str], str]
KINDS = ["sqlite", "postgres"]


@pytest.mark.parametrize("kinds", list(product(KINDS, KINDS)), ids="-to-".join)
async def test_restored_ledger_holds_every_row_of_the_other(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    kinds: tuple[str, str],
) -> None:
    """Accounts, reservations, charges, journal, checkpoints, proposals, answers.

    Only the journal has one entry more, which says that it was restored.
    """
    one, two = map(new_url, kinds)
    store = await filled(one, clock, key)
    backup = tmp_path / "ledger.backup"
    head = await backed_up(one, backup, clock)
    await store.close()

    made = await restored(two, backup, clock)

    before, after = await all_rows(one), await all_rows(two)
    assert all(before.values())
    *journal, last = after.pop(ENTRIES.name)
    assert journal == before.pop(ENTRIES.name)
    assert last[0] == head.sequence + 1 == made.head.sequence
    assert last[2] == "ledger_restored"
    ((_, ledger_id, sequence, digest, numbered),) = after.pop(CHAIN.name)
    ((*_, numbered_before),) = before.pop(CHAIN.name)
    assert (ledger_id, sequence, digest) == (head.ledger_id, last[0], last[-1])
    assert numbered == numbered_before
    assert after == before


@pytest.mark.parametrize("target", KINDS)
async def test_restored_ledger_goes_on_as_the_same_ledger(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    target: str,
) -> None:
    """It reserves, settles and signs; checkpoints of before still hold."""
    one, two = new_url("sqlite"), new_url(target)
    store = await filled(one, clock, key)
    kept = await store.checkpoint(key)
    assert kept is not None
    backup = tmp_path / "ledger.backup"
    await backed_up(one, backup, clock)
    await store.close()

    await restored(two, backup, clock)

    again = await ledger(two, clock)
    await random_history(again, clock, SEED + 1, length=40)
    lines = await export_lines(again, key)
    report = check(lines, key.public_key, kept=[kept])
    assert report.findings == ()
    assert report.unsigned == 0
    assert "goes on from a backup" in report.notes[0]
    await again.close()


@pytest.mark.parametrize("source", KINDS)
async def test_backup_while_routers_write_is_of_one_instant(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    source: str,
) -> None:
    """Rows of different instants would not add up, and a restore would refuse them.

    Writes end before and after the backup, and a writer never waits for it.
    """
    url = new_url(source)
    store = await filled(url, clock, key, length=100)
    wrote_during = 0
    done = asyncio.Event()

    async def write_on() -> int:
        count = 0
        while not done.is_set():
            request = release(f"during-{count}", TOKEN, [LARGE], steps_max=1)
            await store.reserve(request)
            await store.commit(request.request_id, owner=OWNER, steps=1)
            count += 1
        return count

    writing = asyncio.create_task(write_on())
    await asyncio.sleep(0.05)
    before = await store.head()
    head = await backed_up(url, tmp_path / "ledger.backup", clock)
    done.set()
    wrote_during = await writing

    assert wrote_during > 0
    assert before.sequence <= head.sequence < (await store.head()).sequence
    await store.close()
    target = new_url("sqlite")
    await restored(target, tmp_path / "ledger.backup", clock)
    again = await ledger(target, clock)
    assert (await audited(again, key)).is_good
    await again.close()


async def test_backup_is_for_its_owner_only_and_replaces_nothing(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock, key: CheckpointSigner
) -> None:
    """It holds published answers, and the last good backup may be under this name."""
    url = new_url("sqlite")
    store = await filled(url, clock, key)
    await store.close()
    path = tmp_path / "ledger.backup"
    await backed_up(url, path, clock)

    with pytest.raises(FieldInvalid):
        await backed_up(url, path, clock)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.glob(".*")] == []


async def test_absent_ledger_is_not_backed_up_as_an_empty_one(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock
) -> None:
    """A mistyped path gives an error and no file, neither backup nor ledger."""
    url = new_url("sqlite")

    with pytest.raises(FieldInvalid):
        await backed_up(url, tmp_path / "ledger.backup", clock)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", KINDS)
async def test_used_database_is_left_as_it_is(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    target: str,
) -> None:
    """Two histories in one ledger would be none."""
    one, two = new_url("sqlite"), new_url(target)
    await (await filled(one, clock, key)).close()
    await backed_up(one, tmp_path / "ledger.backup", clock)
    used = await ledger(two, clock)
    await used.create_account(TERMS[WARD])
    await used.close()
    before = await all_rows(two)

    with pytest.raises(NotNow):
        await restored(two, tmp_path / "ledger.backup", clock)

    assert await all_rows(two) == before


@pytest.mark.parametrize("target", KINDS)
async def test_empty_migrated_database_takes_the_ledger(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    target: str,
) -> None:
    """A router that was started once by mistake has left tables and no history."""
    one, two = new_url("sqlite"), new_url(target)
    await (await filled(one, clock, key)).close()
    head = await backed_up(one, tmp_path / "ledger.backup", clock)
    await (await ledger(two, clock)).close()

    made = await restored(two, tmp_path / "ledger.backup", clock)

    assert made.header.head == head


@pytest.mark.parametrize("target", KINDS)
async def test_damaged_backup_leaves_the_database_empty(
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
    target: str,
) -> None:
    """Half a ledger is worse than none: the file is refused and nothing stays."""
    one, two = new_url("sqlite"), new_url(target)
    await (await filled(one, clock, key)).close()
    path = tmp_path / "ledger.backup"
    await backed_up(one, path, clock)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])

    with pytest.raises(FieldInvalid):
        await restored(two, path, clock)

    assert [name for name, rows in (await all_rows(two)).items() if rows] == [
        CHAIN.name
    ]


async def test_restore_without_a_reason_is_refused(
    new_url: NewUrl, tmp_path: Path, clock: ManualClock
) -> None:
    """The audit log says who and why, or nothing happens."""
    with pytest.raises(FieldInvalid):
        await restored(new_url("sqlite"), tmp_path / "none", clock, reason=" ")

    assert list(tmp_path.iterdir()) == []
