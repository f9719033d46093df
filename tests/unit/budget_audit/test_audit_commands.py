"""`audit verify` speaks to people and to programs, and needs files alone."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner, Result

from federated_router.budget.audit.format import fields_of, line_of
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.cli.audit import app
from tests.support.audit_world import signer


@pytest.fixture
def export(tmp_path: Path, lines: list[bytes]) -> Path:
    """Return the export as a file."""
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture
def public_key(tmp_path: Path, key: CheckpointSigner) -> Path:
    """Return the router's public key as a file."""
    return written(tmp_path / "key.pub.pem", key)


def written(path: Path, key: CheckpointSigner) -> Path:
    """Write the public half of a key."""
    half = Ed25519PublicKey.from_public_bytes(key.public_key)
    path.write_bytes(half.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def verify(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_good_export_is_said_to_be_good(export: Path, public_key: Path) -> None:
    """Exit status 0, and sentences that say how far the proof reaches."""
    result = verify(export, "--public-key", public_key)

    assert result.exit_code == 0
    assert "19 entries, 2 checkpoints" in result.output
    assert "through entry 19, 2026-01-02T12:01:02Z" in result.output
    assert "Nothing is wrong" in result.output
    assert "WRONG" not in result.output


def test_bad_export_is_said_to_be_bad_and_where(export: Path, public_key: Path) -> None:
    """Exit status 1, and the number of the entry."""
    content = export.read_bytes()
    export.write_bytes(content.replace(b"operators/bob", b"operators/eve"))

    result = verify(export, "--public-key", public_key)

    assert result.exit_code == 1
    assert "WRONG: The hash of entry 14 does not follow" in result.output
    assert "1 thing is wrong." in result.output


def test_programs_read_the_same_as_json(export: Path, public_key: Path) -> None:
    """A pipeline decides by fault and place."""
    good = json.loads(verify(export, "--public-key", public_key, "--json").output)
    content = export.read_bytes()
    export.write_bytes(content.replace(b"operators/bob", b"operators/eve"))
    bad = json.loads(verify(export, "--public-key", public_key, "--json").output)

    assert (good["good"], good["findings"], good["signed_through"]) == (True, [], 19)
    assert good["accounts"]["accounts/dataset-batched"]["closed"] is True
    assert bad["good"] is False
    assert [(one["fault"], one["sequence"]) for one in bad["findings"]] == [
        ("entry_changed", 14)
    ]


def test_kept_checkpoint_reveals_an_older_export(
    tmp_path: Path, export: Path, public_key: Path, late: Checkpoint
) -> None:
    """Given as a file or as JSON, it asks for what it has seen."""
    lines = export.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(
        b"".join(lines[:10]) + b'{"record":"end","entries":8,"checkpoints":1}\n'
    )
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(line_of(late))
    text = json.dumps(fields_of(late))

    assert verify(cut, "--public-key", public_key).exit_code == 0
    for form in (kept, text):
        result = verify(cut, "--public-key", public_key, "--checkpoint", form)
        assert result.exit_code == 1
        assert "ends at entry 8" in result.output
    assert (
        verify(export, "--public-key", public_key, "--checkpoint", kept).exit_code == 0
    )


def test_keys_of_several_routers_may_be_given(
    tmp_path: Path, export: Path, public_key: Path
) -> None:
    """Routers that share a ledger have keys of their own; strangers' prove nothing."""
    other = written(tmp_path / "other.pub.pem", signer())

    both = verify(export, "--public-key", other, "--public-key", public_key)
    wrong = verify(export, "--public-key", other)

    assert both.exit_code == 0
    assert wrong.exit_code == 1
    assert "another key" in wrong.output


def test_entries_that_nobody_signed_are_counted_aloud(
    tmp_path: Path, export: Path, public_key: Path
) -> None:
    """Good so far is not proven to the end."""
    lines = export.read_bytes().splitlines(keepends=True)
    tail = tmp_path / "tail.jsonl"
    tail.write_bytes(
        b"".join(lines[:-2]) + b'{"record":"end","entries":19,"checkpoints":1}\n'
    )

    result = verify(tail, "--public-key", public_key)

    assert result.exit_code == 0
    assert "Not yet signed: the last 11 entries" in result.output


@pytest.mark.parametrize("wrong", ["--public-key", "--checkpoint"])
def test_unusable_arguments_are_no_verdict(
    tmp_path: Path, export: Path, public_key: Path, wrong: str
) -> None:
    """Exit status 2: the export was neither found good nor bad."""
    absent = tmp_path / "absent"
    arguments = [export, "--public-key", public_key, wrong, absent]

    result = verify(*arguments)

    assert result.exit_code == 2
