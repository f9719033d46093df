"""Records of a data set as `synthesise` reads them: JSON Lines, all or nothing.

Decides what a file of records must be, before anything is sent. Refuses to divide them
by anything but their places: the number of records is public and stated by the
operator, and record i is in batch i // B.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from federated_router.api.v1 import inference_pb2
from federated_router.kit.errors import FieldInvalid, RecordNotText
from federated_router.kit.names import is_id

TEXT_BYTES_MAX = 64 * 1024
_FIELDS = frozenset({"id", "text", "batch"})


@dataclass(frozen=True, slots=True)
class Records:
    """Every record of a file, in its order; `sha256` is of the file's bytes."""

    all: Sequence[inference_pb2.Record]
    sha256: str

    @property
    def texts(self) -> list[str]:
        """Return the private texts."""
        return [record.text.decode() for record in self.all]

    def batch(self, number: int, *, slots: int) -> Sequence[inference_pb2.Record]:
        """Return the records of a batch, by their places alone."""
        return self.all[number * slots : (number + 1) * slots]


def read_records(path: Path, *, count: int) -> Records:
    """Return the records of a file that has exactly `count`, one JSON object a line.

    Each has a `text`, and may have an `id` (else `record-PLACE`, from 1) and, for data
    sets whose blocks are batches, a `batch`.

    Raises:
        FieldInvalid: the file cannot be read, has another number of records, names one
            twice, or a line is not such an object or too large.
        RecordNotText: a line is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FieldInvalid(
            f"{path} cannot be read ({error.strerror}).", field="input"
        ) from error
    found = list(_records(content))
    if len(found) != count:
        raise FieldInvalid(
            f"{path} has {len(found)} records; {count} were stated. The number is "
            "public: state it, and do not read it off a private file unseen.",
            field="records",
        )
    _refuse_twice(found)
    return Records(found, hashlib.sha256(content).hexdigest())


def _records(content: bytes) -> Iterator[inference_pb2.Record]:
    for place, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield _record(line, place)


def _record(line: bytes, place: int) -> inference_pb2.Record:
    """Return a line's record; no error quotes what the line says."""
    field = f"input line {place}"
    try:
        told = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise RecordNotText("The line is not valid UTF-8.", field=field) from None
    except (ValueError, RecursionError):
        raise FieldInvalid("The line is not JSON.", field=field) from None
    if not isinstance(told, dict) or not _FIELDS.issuperset(told):
        raise FieldInvalid(
            "A line is an object of text, and id and batch where wanted.", field=field
        )
    text, name = told.get("text"), told.get("id", f"record-{place}")
    batch = told.get("batch", "")
    if not isinstance(text, str) or not text.strip() or not isinstance(batch, str):
        raise FieldInvalid("A record has a text, and it is not empty.", field=field)
    if not isinstance(name, str) or not is_id(name):
        raise FieldInvalid(
            "An id has 1 to 63 characters of a-z, 0-9, '.', '_' and '-'.", field=field
        )
    return inference_pb2.Record(id=name, text=_utf8(text, field), batch=batch)


def _utf8(text: str, field: str) -> bytes:
    try:
        written = text.encode()
    except UnicodeEncodeError:  # Half of a surrogate pair, which JSON can escape.
        raise RecordNotText("The text is not valid UTF-8.", field=field) from None
    if len(written) > TEXT_BYTES_MAX:
        raise FieldInvalid(
            f"A record holds at most {TEXT_BYTES_MAX} bytes.", field=field
        )
    return written


def _refuse_twice(records: Sequence[inference_pb2.Record]) -> None:
    """Raise for an id that stands twice: the record would be in two batches."""
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise FieldInvalid(
                "Two records have one id. Each record once: twice would double what "
                "it can lose.",
                field="input",
            )
        seen.add(record.id)
