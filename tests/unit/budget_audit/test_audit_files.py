"""Files that people keep: checkpoints in whatever form, and files that are whole."""

import errno
import json
from pathlib import Path

import pytest

from federated_router.budget.audit.files import whole_file
from federated_router.budget.audit.format import fields_of, line_of
from federated_router.budget.audit.kept import read_kept
from federated_router.budget.checkpoint import Checkpoint
from federated_router.kit.errors import FieldInvalid


def test_checkpoint_is_kept_as_text_as_lines_or_as_an_export(
    tmp_path: Path, lines: list[bytes], early: Checkpoint, late: Checkpoint
) -> None:
    """Outsiders keep what they were sent, in whatever form it came."""
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(fields_of(early), indent=2))
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(line_of(early) + b"\n" + line_of(late))
    export = tmp_path / "export.jsonl"
    export.write_bytes(b"".join(lines))

    assert read_kept(json.dumps(fields_of(early))) == (early,)
    assert read_kept(str(pretty)) == (early,)
    assert read_kept(str(kept)) == (early, late)
    assert read_kept(str(export)) == (early, late)


@pytest.mark.parametrize("content", ["", "text", '{"record":"end"}'])
def test_kept_file_without_a_checkpoint_is_refused(
    tmp_path: Path, content: str
) -> None:
    """To compare with nothing would look like agreement."""
    path = tmp_path / "kept"
    path.write_text(content)

    with pytest.raises(FieldInvalid):
        read_kept(str(path))
    with pytest.raises(FieldInvalid):
        read_kept(str(tmp_path / "absent"))


def test_file_that_was_not_finished_does_not_appear(tmp_path: Path) -> None:
    """A crash half-way leaves no file that could be taken for the whole."""

    def crash() -> None:
        with whole_file(tmp_path / "export", mode=0o600) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()

    assert list(tmp_path.iterdir()) == []


def test_file_appears_where_the_file_system_has_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups go to foreign disks, some of which know files and nothing else."""

    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with whole_file(tmp_path / "export", mode=0o600) as file:
        file.write(b"whole")

    assert [one.name for one in tmp_path.iterdir()] == ["export"]
    assert (tmp_path / "export").read_bytes() == b"whole"


def test_full_disk_is_said_in_one_sentence(tmp_path: Path) -> None:
    """People who see it know what to do, and no half of a file is left."""

    def write() -> None:
        with whole_file(tmp_path / "export", mode=0o600) as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FieldInvalid, match="No space left"):
        write()

    assert list(tmp_path.iterdir()) == []


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Between the look and the end somebody else may have written it."""
    path = tmp_path / "export"

    def write() -> None:
        with whole_file(path, mode=0o600) as file:
            file.write(b"ours")
            path.write_bytes(b"theirs")

    with pytest.raises(FieldInvalid):
        write()

    assert path.read_bytes() == b"theirs"
