"""An export of the audit log: JSON lines that a verifier reads from top to bottom.

Decides how the header, entries, checkpoints and the end are written and read, and how
long a line may be; refuses to judge what they say. A checkpoint stands right behind the
entry that it signs, so that no reader needs to remember the way there. docs/audit.md
describes every field.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, Final

from federated_router.budget.chain import (
    HASH_BYTES,
    LEDGER_ID_BYTES,
    ChainedEntry,
    ChainHead,
)
from federated_router.budget.checkpoint import Checkpoint
from federated_router.kit.errors import FieldInvalid

FORMAT: Final = "federated-router audit 1"
LINE_BYTES_MAX: Final = 1 << 20
_PLACE_MAX: Final = 2**63 - 1
_PUBLIC_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_FIELDS: Final = {
    "header": {"format", "ledger_id"},
    "entry": {
        *("sequence", "time_us", "kind", "account", "request_id", "detail", "hash"),
    },
    "checkpoint": {
        *("ledger_id", "sequence", "hash", "time_us", "public_key", "signature"),
    },
    "end": {"entries", "checkpoints"},
}
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: whose log this is."""

    ledger_id: bytes


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """An entry as it was exported, with its place and the hash that it claims."""

    sequence: int
    time_us: int
    kind: str
    account: str | None
    request_id: str | None
    detail: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The last line: how many entries and checkpoints came before it."""

    entries: int
    checkpoints: int


Record = Header | ExportedEntry | Checkpoint | End


def exported(chained: ChainedEntry) -> ExportedEntry:
    """Return an entry of the ledger as an export tells it."""
    entry = chained.entry
    return ExportedEntry(
        sequence=chained.sequence,
        time_us=entry.time_us,
        kind=entry.kind.value,
        account=entry.account,
        request_id=entry.request_id,
        detail=entry.detail,
        hash=chained.hash,
    )


def line_of(record: Record) -> bytes:
    """Return a record as one line, its end included."""
    return _encode(fields_of(record)).encode() + b"\n"


def fields_of(record: Record) -> dict[str, object]:
    """Return a record as JSON values; bytes are lower-case hexadecimal."""
    match record:
        case Header(ledger_id=ledger_id):
            return {
                "record": "header",
                "format": FORMAT,
                "ledger_id": ledger_id.hex(),
            }
        case ExportedEntry():
            return {
                "record": "entry",
                "sequence": record.sequence,
                "time_us": record.time_us,
                "kind": record.kind,
                "account": record.account,
                "request_id": record.request_id,
                "detail": record.detail,
                "hash": record.hash.hex(),
            }
        case Checkpoint(head=head):
            return {
                "record": "checkpoint",
                "ledger_id": head.ledger_id.hex(),
                "sequence": head.sequence,
                "hash": head.hash.hex(),
                "time_us": record.time_us,
                "public_key": record.public_key.hex(),
                "signature": record.signature.hex(),
            }
        case End():
            return {
                "record": "end",
                "entries": record.entries,
                "checkpoints": record.checkpoints,
            }


def bounded_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; a line that is too long comes in pieces."""
    return iter(partial(file.readline, LINE_BYTES_MAX + 1), b"")


def read_line(line: bytes) -> Record:
    """Return what a line of an export says.

    Raises:
        FieldInvalid: too long, or no JSON object of a known kind with exactly its
            fields.
    """
    if len(line) > LINE_BYTES_MAX:
        raise FieldInvalid("It is longer than any line of an export.", field="line")
    try:
        document = _decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise FieldInvalid("This line is not JSON.", field="line") from error
    kind = document.get("record") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise FieldInvalid("This line is none of an audit export.", field="line")
    if document.keys() != _FIELDS[kind] | {"record"}:
        raise FieldInvalid(
            f"A line of kind {kind} has the fields {', '.join(sorted(_FIELDS[kind]))}.",
            field="line",
        )
    return _READERS[kind](document)


def _header(document: Mapping[str, object]) -> Record:
    if document["format"] != FORMAT:
        raise FieldInvalid(f"This is not the format {FORMAT!r}.", field="format")
    return Header(_hex(document, "ledger_id", LEDGER_ID_BYTES))


def _entry(document: Mapping[str, object]) -> Record:
    return ExportedEntry(
        sequence=_whole(document, "sequence"),
        time_us=_whole(document, "time_us"),
        kind=_text(document, "kind"),
        account=_text_or_none(document, "account"),
        request_id=_text_or_none(document, "request_id"),
        detail=_text(document, "detail"),
        hash=_hex(document, "hash", HASH_BYTES),
    )


def _checkpoint(document: Mapping[str, object]) -> Record:
    head = ChainHead(
        _hex(document, "ledger_id", LEDGER_ID_BYTES),
        _whole(document, "sequence"),
        _hex(document, "hash", HASH_BYTES),
    )
    return Checkpoint(
        head=head,
        time_us=_whole(document, "time_us"),
        public_key=_hex(document, "public_key", _PUBLIC_KEY_BYTES),
        signature=_hex(document, "signature", _SIGNATURE_BYTES),
    )


def _end(document: Mapping[str, object]) -> Record:
    return End(_whole(document, "entries"), _whole(document, "checkpoints"))


_READERS: Final[Mapping[str, Callable[[Mapping[str, object]], Record]]] = {
    "header": _header,
    "entry": _entry,
    "checkpoint": _checkpoint,
    "end": _end,
}


def _whole(document: Mapping[str, object], field: str) -> int:
    value = document[field]
    if type(value) is not int or not 0 <= value <= _PLACE_MAX:
        raise FieldInvalid(f"{field} is a whole number of 64 bits.", field=field)
    return value


def _text(document: Mapping[str, object], field: str) -> str:
    value = document[field]
    if not isinstance(value, str):
        raise FieldInvalid(f"{field} is text.", field=field)
    return value


def _text_or_none(document: Mapping[str, object], field: str) -> str | None:
    return None if document[field] is None else _text(document, field)


def _hex(document: Mapping[str, object], field: str, length: int) -> bytes:
    text = _text(document, field)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    # One value has one form: fromhex would read spaces and capitals as well.
    if len(value) != length or value.hex() != text:
        raise FieldInvalid(
            f"{field} is {length} bytes in lower-case hexadecimal.", field=field
        )
    return value
