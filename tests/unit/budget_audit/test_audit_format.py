"""The lines of an export: one form, read strictly, and described in docs/audit.md."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.budget.audit.chain import hash_after
from federated_router.budget.audit.format import (
    LINE_BYTES_MAX,
    End,
    ExportedEntry,
    Header,
    bounded_lines,
    exported,
    fields_of,
    line_of,
    read_line,
)
from federated_router.budget.chain import ChainHead, entry_hash, genesis, link
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.entries import Entry, EntryKind
from federated_router.kit.errors import FieldInvalid
from tests.support.audit_world import check

Told = list[dict[str, Any]]
TEXTS = st.text(max_size=40)
ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(EntryKind),
    time_s=st.floats(0, 4e9),
    account=st.none() | TEXTS,
    request_id=st.none() | TEXTS,
    detail=TEXTS,
)


@given(entry=ENTRIES, before=st.binary(min_size=32, max_size=32))
def test_verifier_and_ledger_hash_alike(entry: Entry, before: bytes) -> None:
    """Two implementations of one description agree on every text, odd ones included."""
    chained = link(ChainHead(bytes(16), 41, before), entry)

    assert hash_after(before, exported(chained)) == entry_hash(before, 42, entry)


@given(entry=ENTRIES)
def test_line_is_read_as_it_was_written(entry: Entry) -> None:
    """An export loses nothing, and one record is one line."""
    record = exported(link(genesis(bytes(16)), entry))

    line = line_of(record)

    assert read_line(line) == record
    assert line.count(b"\n") == 1


def test_bytes_that_are_hashed_never_change() -> None:
    """Who wrote a verifier in another language relies on these bytes for ever."""
    entry = ExportedEntry(
        sequence=2,
        time_us=1_767_268_800_250_000,
        kind="account_closed",
        account="accounts/dataset-ward",
        request_id=None,
        detail='{"closed_by":"é\\"\x7f"}',
        hash=bytes(32),
    )
    before = bytes(range(32))

    told = (
        '[2,1767268800250000,"account_closed","accounts/dataset-ward",null,'
        r'"{\"closed_by\":\"\u00e9\\\"\u007f\"}"]'
    )
    hashed = b"federated-router entry 1\x00" + before + told.encode("ascii")
    assert hash_after(before, entry) == hashlib.sha256(hashed).digest()
    assert hash_after(before, entry).hex() == (
        "033a03168660cc6addf4606e7e7652d7720ed1ee00a4525d76ff079c51841511"
    )


def documented() -> tuple[list[bytes], bytes]:
    """Return the export that docs/audit.md shows, and its key."""
    page = Path(__file__).resolve().parents[3] / "docs" / "audit.md"
    blocks = page.read_text(encoding="utf-8").split("```")
    example = next(one for one in blocks if one.startswith("jsonl\n"))
    key = next(one for one in blocks if one.startswith("key\n")).split()[1]
    return [line.encode() for line in example.splitlines()[1:]], bytes.fromhex(key)


def test_documented_example_is_what_the_code_does() -> None:
    """The figures in docs/audit.md can be used to test another verifier."""
    lines, key = documented()

    report = check(lines, key)

    assert report.findings == ()
    assert (report.entries, report.signed_through) == (2, 2)


def test_documented_example_is_bad_after_any_change_of_a_byte() -> None:
    """No byte of an entry or a checkpoint is left that nobody looks at."""
    lines, key = documented()
    for number, line in enumerate(lines):
        for place, byte in enumerate(line):
            changed = line[:place] + bytes([byte ^ 1]) + line[place + 1 :]
            content = [*lines[:number], changed, *lines[number + 1 :]]

            assert not check(content, key).is_good, (number, place)


def test_records_of_each_kind_come_back(told: Told) -> None:
    """Header, entries, checkpoints and the end, each with all of its fields."""
    for document in told:
        record = read_line(json.dumps(document).encode())
        assert fields_of(record) == document


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"record":"entry"}',
        b'{"record":"mystery"}',
        b'{"record":["entry"]}',
        b'{"record":"end","entries":1,"checkpoints":1,"more":1}',
        b'{"record":"end","entries":true,"checkpoints":1}',
        b'{"record":"end","entries":-1,"checkpoints":1}',
        b'{"record":"end","entries":1.0,"checkpoints":1}',
        b'{"record":"end","entries":9223372036854775808,"checkpoints":1}',
        b'{"record":"header","format":"another","ledger_id":"' + b"00" * 16 + b'"}',
        b'{"record":"header","format":"federated-router audit 1","ledger_id":"00"}',
        b"[" * 100_000,
        b'"' + b"x" * LINE_BYTES_MAX + b'"',
    ],
)
def test_line_of_another_form_is_refused(line: bytes) -> None:
    """A field too many or too few is another format, and is not guessed at."""
    with pytest.raises(FieldInvalid):
        read_line(line)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("sequence", "1"),
        ("time_us", None),
        ("kind", 1),
        ("account", 1),
        ("request_id", []),
        ("detail", {}),
        ("hash", "00"),
        ("hash", "zz" * 32),
        ("hash", "AB" * 32),
        ("hash", "00 " * 32),
        ("hash", None),
    ],
)
def test_entry_with_a_field_of_another_form_is_refused(
    told: Told, field: str, wrong: object
) -> None:
    """What is hashed is what is read."""
    document = {**told[1], field: wrong}

    with pytest.raises(FieldInvalid):
        read_line(json.dumps(document).encode())


def test_long_line_is_read_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    """A file of one endless line does not fill the memory."""
    path = tmp_path / "long"
    path.write_bytes(b"x" * (3 * LINE_BYTES_MAX))

    with path.open("rb") as file:
        pieces = [len(line) for line in bounded_lines(file)]

    assert max(pieces) == LINE_BYTES_MAX + 1
    assert sum(pieces) == 3 * LINE_BYTES_MAX


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"not json\n"],
        [line_of(End(0, 0))],
        [line_of(Header(bytes(16))), line_of(Header(bytes(16))), line_of(End(0, 0))],
        [line_of(Header(bytes(16))), line_of(End(0, 0)), line_of(End(0, 0))],
        [line_of(Header(bytes(16))), line_of(End(1, 0))],
    ],
    ids=["empty", "text", "no header", "two headers", "two ends", "false count"],
)
def test_file_that_is_no_export_is_refused(
    lines: list[bytes], key: CheckpointSigner
) -> None:
    """Whatever a file holds, the answer is a finding and never a crash."""
    assert not check(lines, key.public_key).is_good
