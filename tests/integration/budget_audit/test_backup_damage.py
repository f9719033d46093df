"""A backup that is damaged, cut off or does not agree with its journal is refused.

Those who only flip bits are found by the digest; those who write the digest anew, by
the journal.
"""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from federated_router.budget.backup.archive import check_backup
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from tests.support.audit_world import NOON_S, signer
from tests.support.backup_world import (
    RUNNING,
    SEED,
    backed_up,
    filled,
    lines_of,
    row_of,
    write_anew,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a sound backup."""
    directory = tmp_path_factory.mktemp("sound")
    url = f"sqlite+aiosqlite:///{directory}/ledger.sqlite3"
    path = directory / "ledger.backup"

    async def make() -> None:
        clock = ManualClock(NOON_S)
        await (await filled(url, clock, signer(), length=10)).close()
        await backed_up(url, path, clock)

    asyncio.run(make())
    return path.read_bytes()


@pytest.fixture
def backup(sound: bytes, tmp_path: Path) -> Path:
    """Return a sound backup, to be damaged."""
    path = tmp_path / "ledger.backup"
    path.write_bytes(sound)
    return path


def test_backup_written_anew_without_a_change_is_sound(backup: Path) -> None:
    """The tests below find what they change, and not how they change it."""
    before = check_backup(backup)
    write_anew(backup, lines_of(backup))

    assert check_backup(backup) == before
    assert all(before.rows.values())


def test_backup_cut_anywhere_is_refused(backup: Path, tmp_path: Path) -> None:
    """Half a copy must not restore half a ledger."""
    content = backup.read_bytes()
    random = Random(SEED)  # noqa: S311 - places to cut, not a secret.
    cut = tmp_path / "cut"
    for length in [0, 1, len(content) - 1, *random.sample(range(len(content)), 60)]:
        cut.write_bytes(content[:length])
        with pytest.raises(FieldInvalid):
            check_backup(cut)


def test_backup_cut_between_lines_is_refused(backup: Path, tmp_path: Path) -> None:
    """Also where the compressed part is whole."""
    content = gzip.decompress(backup.read_bytes()).splitlines(keepends=True)
    cut = tmp_path / "cut"
    for count in range(len(content)):
        cut.write_bytes(gzip.compress(b"".join(content[:count]), compresslevel=1))
        with pytest.raises(FieldInvalid):
            check_backup(cut)


def test_changed_byte_is_refused(backup: Path, tmp_path: Path) -> None:
    """Wherever it is, in the compressed file or below."""
    content = backup.read_bytes()
    inner = gzip.decompress(content)
    random = Random(SEED)  # noqa: S311 - places to change, not a secret.
    changed = tmp_path / "changed"
    for place in random.sample(range(len(inner)), 60):
        other = bytes([inner[place] ^ (1 << random.randrange(7))])
        below = inner[:place] + other + inner[place + 1 :]
        changed.write_bytes(gzip.compress(below, compresslevel=1))
        with pytest.raises(FieldInvalid):
            check_backup(changed)


def test_something_behind_the_end_is_refused(backup: Path) -> None:
    """Two backups in one file are none."""
    backup.write_bytes(backup.read_bytes() * 2)

    with pytest.raises(FieldInvalid):
        check_backup(backup)


@pytest.mark.parametrize(
    ("table", "column", "change"),
    [
        ("ledger_accounts", "spent_units", lambda units: units - 1),
        ("ledger_accounts", "reserved_units", lambda units: units + 1),
        ("ledger_accounts", "lifetime_units", lambda units: units + 1),
        ("ledger_accounts", "limit_units", lambda units: units * 2),
        ("ledger_accounts", "lifetime_cap_units", lambda _: 5),
        ("ledger_accounts", "rdp_order", lambda _: 3.5),
        ("ledger_accounts", "zone", lambda _: "Asia/Tokyo"),
        ("ledger_accounts", "renewal", lambda _: "weekly"),
        ("ledger_accounts", "window_start_s", lambda start: start + 1),
        ("ledger_accounts", "closed_time_s", lambda _: 1.5),
        ("ledger_accounts", "name", lambda name: name + "x"),
        ("ledger_accounts", "name", lambda _: None),
        ("ledger_accounts", "limit_units", lambda _: "1"),
        ("ledger_accounts", "limit_units", lambda _: 1.5),
        ("ledger_accounts", "limit_units", lambda _: True),
        ("ledger_accounts", "window_start_s", lambda _: None),
        ("ledger_reservations", "state", lambda _: "reserved"),
        ("ledger_events", "detail", lambda detail: detail + " "),
        ("ledger_events", "kind", lambda _: "ledger_restored"),
        ("ledger_events", "time_s", lambda time_s: time_s + 1),
        ("ledger_events", "hash", lambda _: "AAAA"),
        ("ledger_events", "sequence", lambda _: 2),
        ("ledger_chain", "sequence", lambda place: place - 1),
        ("ledger_chain", "last_reservation", lambda _: 1),
        ("ledger_chain", "hash", lambda _: "A" * 43 + "="),
        ("ledger_checkpoints", "signature", lambda _: "A" * 86 + "=="),
        ("ledger_checkpoints", "time_us", lambda time_us: time_us + 1),
    ],
)
def test_row_that_the_journal_does_not_tell_is_refused(
    backup: Path, table: str, column: str, change: Callable[[Any], Any]
) -> None:
    """Who can write a digest cannot give himself a budget."""
    lines = lines_of(backup)
    at, columns = row_of(lines, table)
    lines[at][columns[column]] = change(lines[at][columns[column]])
    write_anew(backup, lines)

    with pytest.raises(FieldInvalid):
        check_backup(backup)


@pytest.mark.parametrize(
    "table",
    ["ledger_accounts", "ledger_reservations", "ledger_events", "ledger_chain"],
)
def test_missing_row_is_refused(backup: Path, table: str) -> None:
    """Every table is checked against the journal, not only for its own sake."""
    lines = lines_of(backup)
    at, _ = row_of(lines, table)
    del lines[at]
    write_anew(backup, lines)

    with pytest.raises(FieldInvalid):
        check_backup(backup)


@pytest.mark.parametrize("bound", [3, 9, 0, None])
def test_open_hold_with_another_bound_is_refused(
    backup: Path, bound: int | None
) -> None:
    """A restore that forgot a grant would charge less than was sampled on it."""
    lines = lines_of(backup)
    _, columns = row_of(lines, "ledger_reservations")
    (running,) = (
        line for line in lines if isinstance(line, list) and RUNNING in line[:3]
    )
    assert running[columns["steps_bound"]] == 6
    running[columns["steps_bound"]] = bound
    write_anew(backup, lines)

    with pytest.raises(FieldInvalid):
        check_backup(backup)


def test_missing_table_is_refused(backup: Path) -> None:
    """A backup of an older form has its own version of the program."""
    lines = lines_of(backup)
    at, _ = row_of(lines, "ledger_proposals")
    del lines[at - 1]
    write_anew(backup, lines)

    with pytest.raises(FieldInvalid):
        check_backup(backup)


@pytest.mark.parametrize(
    "header",
    [
        {},
        [],
        {"format": "another"},
        {"format": "federated-router ledger backup 1"},
    ],
)
def test_other_file_is_refused(backup: Path, header: object) -> None:
    """A file is a backup because it says so in its first line."""
    lines = lines_of(backup)
    lines[0] = header
    write_anew(backup, lines)

    with pytest.raises(FieldInvalid):
        check_backup(backup)
