"""What only the database sees: another revision, sums and signatures that differ."""

import asyncio
import base64
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from federated_router.budget.backup import restore as backup_restore
from federated_router.budget.backup.archive import check_backup
from federated_router.budget.chain import ChainHead
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.sql.schema import CHAIN
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, NotNow
from tests.support.audit_world import NOON_S, TERMS, WARD
from tests.support.backup_world import (
    Lines,
    all_rows,
    backed_up,
    filled,
    ledger,
    lines_of,
    restored,
    row_of,
    write_anew,
)

NewUrl = Callable[[str], str]
EMPTY = [CHAIN.name]
"""The journal's head stands in a ledger from its first moment on."""


@pytest.fixture
def url(new_url: NewUrl, clock: ManualClock, key: CheckpointSigner) -> str:
    """Return the address of a full ledger."""
    made = new_url("sqlite")

    async def fill() -> None:
        await (await filled(made, clock, key, length=5)).close()

    asyncio.run(fill())
    return made


@pytest.fixture
def backup(url: str, clock: ManualClock, tmp_path: Path) -> Path:
    """Return a sound backup of it."""
    path = tmp_path / "ledger.backup"
    asyncio.run(backed_up(url, path, clock))
    return path


def revision(url: str, *, becomes: str = "") -> str:
    """Return the schema revision of a SQLite ledger, after it `becomes` another."""
    with closing(sqlite3.connect(url.partition("///")[2])) as connection:
        if becomes:
            connection.execute(
                "UPDATE budget_schema_version SET version_num = ?", (becomes,)
            )
            connection.commit()
        (found,) = connection.execute(
            "SELECT version_num FROM budget_schema_version"
        ).fetchone()
    return str(found)


async def tables_in_use(url: str) -> list[str]:
    """Return which tables of a ledger hold rows; those of an empty one are EMPTY."""
    return [name for name, rows in (await all_rows(url)).items() if rows]


def settled_charge(lines: Lines) -> tuple[int, int]:
    """Return line and column of a charge that a commit settled."""
    at, columns = row_of(lines, "ledger_reservations")
    committed = next(
        line[columns["number"]]
        for line in lines[at:]
        if isinstance(line, list) and line[columns["state"]] == "committed"
    )
    at, columns = row_of(lines, "ledger_charges")
    while lines[at][columns["number"]] != committed:
        at += 1
    return at, columns["units_per_step"]


async def test_charges_that_do_not_add_up_are_refused(
    new_url: NewUrl, backup: Path, clock: ManualClock
) -> None:
    """A settled reservation that claims another cost falsifies every report."""
    lines = lines_of(backup)
    at, column = settled_charge(lines)
    lines[at][column] += 1
    write_anew(backup, lines)
    target = new_url("sqlite")

    with pytest.raises(FieldInvalid, match="do not add up"):
        await restored(target, backup, clock)

    assert await tables_in_use(target) == EMPTY


async def test_checkpoint_of_another_hash_is_refused(
    new_url: NewUrl, backup: Path, clock: ManualClock, key: CheckpointSigner
) -> None:
    """It is genuine and of this ledger, and still not of this journal."""
    head = check_backup(backup).header.head
    lines = lines_of(backup)
    at, columns = row_of(lines, "ledger_checkpoints")
    place = lines[at][columns["sequence"]]
    other = key.sign(ChainHead(head.ledger_id, place, bytes(32)), now_s=NOON_S)
    for column, value in (
        ("hash", other.head.hash),
        ("public_key", other.public_key),
        ("signature", other.signature),
    ):
        lines[at][columns[column]] = base64.b64encode(value).decode()
    lines[at][columns["time_us"]] = other.time_us
    write_anew(backup, lines)
    target = new_url("sqlite")

    with pytest.raises(FieldInvalid, match="contradicts the journal"):
        await restored(target, backup, clock)

    assert await tables_in_use(target) == EMPTY


async def test_row_that_the_schema_refuses_is_refused(
    new_url: NewUrl, backup: Path, clock: ManualClock
) -> None:
    """The constraints below the code hold for a restore as well."""
    lines = lines_of(backup)
    at, columns = row_of(lines, "ledger_reservations")
    lines[at][columns["steps_max"]] = -1
    write_anew(backup, lines)
    target = new_url("sqlite")

    with pytest.raises(FieldInvalid, match="break the rules"):
        await restored(target, backup, clock)

    assert await tables_in_use(target) == EMPTY


async def test_backup_of_another_revision_is_refused(
    new_url: NewUrl, backup: Path, clock: ManualClock
) -> None:
    """Its columns mean something else."""
    lines = lines_of(backup)
    lines[0]["schema_revision"] = "0001"
    write_anew(backup, lines)
    target = new_url("sqlite")

    with pytest.raises(NotNow, match="schema revision 0001"):
        await restored(target, backup, clock)

    assert await tables_in_use(target) == EMPTY


async def test_ledger_of_another_revision_is_not_backed_up(
    url: str, clock: ManualClock, tmp_path: Path
) -> None:
    """A backup never upgrades: an older router may be using the ledger now."""
    revision(url, becomes="0001")

    with pytest.raises(NotNow) as caught:
        await backed_up(url, tmp_path / "new.backup", clock)

    assert caught.value.metadata["found"] == "0001"
    assert revision(url) == "0001"
    assert not (tmp_path / "new.backup").exists()


async def test_used_ledger_of_another_revision_is_not_upgraded_by_a_restore(
    url: str, backup: Path, clock: ManualClock
) -> None:
    """A mistaken address changes nothing, not even the schema."""
    revision(url, becomes="0001")

    with pytest.raises(NotNow):
        await restored(url, backup, clock)

    assert revision(url) == "0001"


async def test_ledger_used_since_the_first_look_is_left_as_it_is(
    new_url: NewUrl,
    backup: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A router may start between the look and the transaction, which looks again."""
    target = new_url("sqlite")

    async def look_then_start(url: str, _: object) -> None:
        store = await ledger(url, clock)
        await store.create_account(TERMS[WARD])
        await store.close()

    monkeypatch.setattr(backup_restore, "refuse_used", look_then_start)
    with pytest.raises(NotNow):
        await restored(target, backup, clock)

    assert len((await all_rows(target))["ledger_accounts"]) == 1
