"""`budget backup` and `budget restore` as people call them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from federated_router.budget.audit.format import line_of
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.cli.budget import app
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import NotNow
from tests.support.audit_world import WARD
from tests.support.backup_world import filled, ledger

NewUrl = Callable[[str], str]


@pytest.fixture
def url(new_url: NewUrl, clock: ManualClock, key: CheckpointSigner) -> str:
    """Return the address of a full ledger."""
    made = new_url("sqlite")

    async def fill() -> None:
        await (await filled(made, clock, key, length=5)).close()

    asyncio.run(fill())
    return made


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def signed_later(url: str, clock: ManualClock, key: CheckpointSigner) -> Checkpoint:
    """Let the ledger go on; return its newest checkpoint."""

    async def go_on() -> Checkpoint | None:
        store = await ledger(url, clock)
        await store.close_account(WARD, operator="eve", reason="done")
        made = await store.checkpoint(key)
        await store.close()
        return made

    made = asyncio.run(go_on())
    assert made is not None
    return made


def test_backup_and_restore_by_command(
    url: str, new_url: NewUrl, tmp_path: Path
) -> None:
    """The way back is two commands, and the second warns of what may be forgotten."""
    file, target = tmp_path / "ledger.backup", new_url("sqlite")

    made = run("backup", file, "--url", url)
    back = run("restore", file, "--url", target, "--reason", "a new disk")

    assert made.exit_code == back.exit_code == 0
    assert "read back and found whole" in made.output
    assert "WARNING: whatever was charged after" in back.output
    assert "Balances and chain agree" in back.output


def test_programs_read_json(url: str, new_url: NewUrl, tmp_path: Path) -> None:
    """A nightly job wants to know which entry it has."""
    file, target = tmp_path / "ledger.backup", new_url("sqlite")

    made = json.loads(run("backup", file, "--url", url, "--json").stdout)
    back = run(
        *("restore", file, "--url", target, "--reason", "x", "--operator", "eve"),
        "--json",
    )

    assert made["rows"]["ledger_events"] == made["sequence"] > 0
    told = json.loads(back.stdout)
    assert told["ledger_id"] == made["ledger_id"]
    assert told["backup_sequence"] == made["sequence"]

    async def last_entry() -> str:
        store = await ledger(target, ManualClock())
        found = await store.list_entries(after=made["sequence"], page_size=1)
        await store.close()
        return found[0].entry.detail

    assert json.loads(asyncio.run(last_entry()))["restored_by"] == "eve"


def test_newest_checkpoint_holds_an_old_backup_back(
    url: str,
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
) -> None:
    """Without the flag nothing happens; with it the loss is said in capitals."""
    file, target, kept = tmp_path / "b", new_url("sqlite"), tmp_path / "kept.jsonl"
    run("backup", file, "--url", url)
    kept.write_bytes(line_of(signed_later(url, clock, key)))
    words = ["restore", file, "--url", target, "--reason", "x"]

    refused = run(*words, "--newest-checkpoint", kept)
    accepted = run(*words, "--newest-checkpoint", kept, "--accept-lost-charges")

    assert isinstance(refused.exception, NotNow)
    assert accepted.exit_code == 0
    assert "FORGOTTEN: 1 entries" in accepted.output


def test_checkpoint_in_the_backup_is_said_to_be_there(
    url: str,
    new_url: NewUrl,
    tmp_path: Path,
    clock: ManualClock,
    key: CheckpointSigner,
) -> None:
    """The operator who looked is not warned that nobody looked."""
    file, kept = tmp_path / "b", tmp_path / "kept.jsonl"
    kept.write_bytes(line_of(signed_later(url, clock, key)))
    run("backup", file, "--url", url)

    back = run(
        *("restore", file, "--url", new_url("sqlite"), "--reason", "x"),
        *("--newest-checkpoint", kept),
    )

    assert back.exit_code == 0
    assert "The checkpoint is in the backup" in back.output


@pytest.mark.parametrize(
    "where",
    [
        [],
        ["--url", "sqlite+aiosqlite:////x", "--config", "router.toml"],
        ["--url", "postgresql+psycopg://router:hunter2@db/ledger"],
        ["--config", "/absent/router.toml"],
    ],
    ids=["none", "both", "password", "absent"],
)
def test_address_is_given_once_and_without_a_password(
    tmp_path: Path, where: list[str]
) -> None:
    """A password on a command line is everybody's on that machine."""
    result = run("backup", tmp_path / "b", *where)

    assert result.exit_code == 2
    assert "hunter2" not in result.output
    assert not (tmp_path / "b").exists()
