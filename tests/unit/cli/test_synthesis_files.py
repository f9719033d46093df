"""What `synthesise` reads and remembers: all of it is right, or nothing is sent."""

import json
from pathlib import Path

import pytest

from federated_router.cli import synthesis_memory as memory
from federated_router.cli.synthesis_records import TEXT_BYTES_MAX, read_records
from federated_router.kit import errors


def write(directory: Path, *lines: str | bytes) -> Path:
    """Write lines to a file."""
    path = directory / "notes.jsonl"
    path.write_bytes(
        b"".join(
            (line if isinstance(line, bytes) else line.encode()) + b"\n"
            for line in lines
        )
    )
    return path


def note(text: str = "a note", **more: str) -> str:
    """Return a record's line."""
    return json.dumps({"text": text, **more})


def test_records_come_in_their_order_with_the_ids_that_they_have(
    tmp_path: Path,
) -> None:
    """A record without an id is named by its place; empty lines are no records."""
    path = write(tmp_path, note("one", id="n-1"), "", note("zwei ü"), note(batch="may"))

    found = read_records(path, count=3)

    assert [one.id for one in found.all] == ["n-1", "record-3", "record-4"]
    assert found.texts == ["one", "zwei ü", "a note"]
    assert found.all[2].batch == "may"
    assert [one.id for one in found.batch(1, slots=2)] == ["record-4"]


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_records_than_stated_is_refused(
    tmp_path: Path, count: int
) -> None:
    """The number is public and the operator's word, not what a file happens to hold."""
    with pytest.raises(errors.FieldInvalid) as refused:
        read_records(write(tmp_path, note(), note()), count=count)
    assert refused.value.metadata["field"] == "records"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"text": "\xff"}', errors.RecordNotText),
        ('{"text": "\\ud800"}', errors.RecordNotText),
        ("secret-word", errors.FieldInvalid),
        ("[1]", errors.FieldInvalid),
        ('{"text": 1}', errors.FieldInvalid),
        ('{"text": " "}', errors.FieldInvalid),
        ('{"id": "a"}', errors.FieldInvalid),
        ('{"text": "secret-word", "id": "A b"}', errors.FieldInvalid),
        ('{"text": "secret-word", "name": "a"}', errors.FieldInvalid),
        ('{"text": "secret-word", "batch": 7}', errors.FieldInvalid),
        ("[" * 100_000, errors.FieldInvalid),
        (note("x" * (TEXT_BYTES_MAX + 1)), errors.FieldInvalid),
    ],
    ids=range(12),
)
def test_line_that_is_no_record_is_refused_by_its_place(
    tmp_path: Path, line: str | bytes, error: type[errors.InvalidInput]
) -> None:
    """The error names the line, and quotes nothing of it."""
    with pytest.raises(error) as refused:
        read_records(write(tmp_path, note(), line), count=2)

    assert refused.value.metadata["field"] == "input line 2"
    assert "secret-word" not in str(refused.value)


def test_largest_record_is_taken(tmp_path: Path) -> None:
    """The limit itself is within."""
    path = write(tmp_path, note("x" * TEXT_BYTES_MAX))
    assert len(read_records(path, count=1).all[0].text) == TEXT_BYTES_MAX


def test_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Also where a place has the name that another record was given."""
    for lines in (
        (note(id="n-1"), note(id="n-1")),
        (note(id="record-2"), note()),
    ):
        with pytest.raises(errors.FieldInvalid) as refused:
            read_records(write(tmp_path, *lines), count=2)
        assert refused.value.metadata["field"] == "input"


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In one line, not with a traceback."""
    with pytest.raises(errors.FieldInvalid):
        read_records(tmp_path / "none.jsonl", count=1)


def test_job_is_remembered_and_gone_on_with(tmp_path: Path) -> None:
    """Its name is on disk for the owner alone before the router hears it."""
    output = tmp_path / "texts.jsonl"

    made = memory.remember(output, input_sha256="ab")

    assert memory.recall(output, input_sha256="ab") == made
    assert memory.memory_path(output).stat().st_mode & 0o777 == 0o600
    with pytest.raises(errors.FieldInvalid):
        memory.remember(output, input_sha256="ab")
    memory.forget(output)
    with pytest.raises(errors.FieldInvalid):
        memory.recall(output, input_sha256="ab")


def test_job_does_not_go_on_with_other_records(tmp_path: Path) -> None:
    """They would be in other batches: the one charge would not hold for them."""
    output = tmp_path / "texts.jsonl"
    memory.remember(output, input_sha256="ab")

    with pytest.raises(errors.FieldInvalid) as refused:
        memory.recall(output, input_sha256="cd")

    assert refused.value.metadata["field"] == "input"


@pytest.mark.parametrize("content", ["", "[]", '{"job": "a"}', "\x00"])
def test_memory_that_was_damaged_is_refused(tmp_path: Path, content: str) -> None:
    """A job that cannot be named is not guessed."""
    output = tmp_path / "texts.jsonl"
    memory.memory_path(output).write_text(content)

    with pytest.raises(errors.FieldInvalid):
        memory.recall(output, input_sha256="ab")
