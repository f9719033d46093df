"""A backup of the ledger: every row of every table, as compressed JSON lines.

Behind the ledger's tables stand those of its annexes, which the header names.

Decides how the header, rows and the closing digest are written and read; refuses to
know databases, and to judge what the rows say. The form is the same for SQLite and
PostgreSQL, so a backup of one restores into the other. A file that is damaged or cut
off anywhere is refused, at the latest by the digest in its last line.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from sqlalchemy import BigInteger, Column, Float, LargeBinary, Table

from federated_router.budget.backup.annex import Annex, annexes_named
from federated_router.budget.chain import HASH_BYTES, LEDGER_ID_BYTES, ChainHead
from federated_router.budget.sql.schema import METADATA
from federated_router.kit.errors import FieldInvalid

FORMAT: Final = "federated-router ledger backup 2"
FORMAT_WITHOUT_ANNEXES: Final = "federated-router ledger backup 1"
"""What earlier versions wrote; it is read as a backup without annexes."""
LINE_BYTES_MAX: Final = 1 << 26
TABLES: Final = tuple(METADATA.tables.values())
"""In the order in which rows may be inserted."""
_UNREADABLE: Final = (
    *(OSError, EOFError, zlib.error),
    *(ValueError, KeyError, TypeError, AttributeError),
)
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHeader:
    """What the backup is of, and when it was taken, in microseconds of Unix time.

    `annexes` are schema revisions by the names of the annexes whose rows it holds.
    """

    schema_revision: str
    head: ChainHead
    time_us: int
    annexes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One row, by column."""

    table: Table
    values: Mapping[str, object]


class BackupWriter:
    """Writes one backup to `file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._compressed = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
        self._digest = hashlib.sha256()
        self.rows: Counter[str] = Counter()

    def header(self, header: BackupHeader) -> None:
        """Write the first line."""
        self._line(
            {
                "format": FORMAT,
                "schema_revision": header.schema_revision,
                "ledger_id": header.head.ledger_id.hex(),
                "head": {
                    "sequence": header.head.sequence,
                    "hash": header.head.hash.hex(),
                },
                "time_us": header.time_us,
                "annexes": dict(header.annexes),
            }
        )

    def table(self, table: Table) -> None:
        """Begin the rows of a table."""
        self.rows[table.name] = 0
        columns = [column.name for column in table.columns]
        self._line({"table": table.name, "columns": columns})

    def row(self, table: Table, values: Sequence[object]) -> None:
        """Write a row, in the order of the table's columns."""
        self.rows[table.name] += 1
        self._line([_written(value) for value in values])

    def finish(self) -> None:
        """Write the counts and the digest of everything before them."""
        self._line({"rows": dict(self.rows), "sha256": self._digest.hexdigest()})
        self._compressed.close()

    def _line(self, value: object) -> None:
        line = _encode(value).encode() + b"\n"
        self._digest.update(line)
        self._compressed.write(line)


def read_backup(
    path: Path, annexes: Sequence[Annex] = ()
) -> Iterator[BackupHeader | BackupRow]:
    """Yield the header, then every row, in the order in which rows may be inserted.

    Raises:
        FieldInvalid: no such file, a file that is not a whole backup, or one with an
            annex that is not among `annexes`. It may come after the last row: nothing
            that was read counts before the end.
    """
    try:
        with gzip.open(path, "rb") as file:
            yield from _Reading(file).records(annexes)
    except _UNREADABLE as error:
        raise damaged(f"{path} cannot be read to its end") from error


def damaged(what: str) -> FieldInvalid:
    """Return the error for a backup that nothing may be restored from."""
    return FieldInvalid(
        f"{what}: the backup is damaged, cut off or none. Nothing was restored; use "
        "another copy.",
        field="backup",
    )


def tables_of(annexes: Sequence[Annex]) -> list[Table]:
    """Return the tables of a ledger and its annexes, in the order of insertion."""
    return [*TABLES, *(table for one in annexes for table in one.tables)]


class _Reading:
    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._rows: Counter[str] = Counter()

    def records(self, known: Sequence[Annex]) -> Iterator[BackupHeader | BackupRow]:
        header = _header(self._next())
        tables = tables_of(annexes_named(header.annexes, known))
        yield header
        line = self._next()
        for table in tables:
            if line != {"table": table.name, "columns": _names(table)}:
                raise damaged(f"The rows of {table.name} are missing")
            columns = list(table.columns)
            self._rows[table.name] = 0
            while isinstance(line := self._next(), list):
                self._rows[table.name] += 1
                yield BackupRow(table, _values(columns, line))
        self._check_end(line)

    def _next(self) -> object:
        line = self._file.readline(LINE_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise damaged("A line is cut off")
        value = _decode(line.decode())
        if not (isinstance(value, dict) and "sha256" in value):
            self._digest.update(line)
        return value

    def _check_end(self, line: object) -> None:
        if line != {"rows": dict(self._rows), "sha256": self._digest.hexdigest()}:
            raise damaged("What the file holds is not what it should hold")
        if self._file.read(1):
            raise damaged("Something stands behind the end")


def _header(line: object) -> BackupHeader:
    told = line.get("format") if isinstance(line, dict) else None
    if not isinstance(line, dict) or told not in (FORMAT, FORMAT_WITHOUT_ANNEXES):
        raise FieldInvalid(
            f"This file is not of the format {FORMAT!r}.", field="backup"
        )
    annexes = {} if told == FORMAT_WITHOUT_ANNEXES else line["annexes"]
    ledger_id, digest = (
        bytes.fromhex(line["ledger_id"]),
        bytes.fromhex(line["head"]["hash"]),
    )
    if len(ledger_id) != LEDGER_ID_BYTES or len(digest) != HASH_BYTES:
        raise damaged("The header is not one")
    return BackupHeader(
        schema_revision=str(line["schema_revision"]),
        head=ChainHead(ledger_id, int(line["head"]["sequence"]), digest),
        time_us=int(line["time_us"]),
        annexes={str(name): str(revision) for name, revision in annexes.items()},
    )


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _values(
    columns: Sequence[Column[object]], line: Sequence[object]
) -> dict[str, object]:
    return {
        column.name: _read(column, value)
        for column, value in zip(columns, line, strict=True)
    }


def _written(value: object) -> object:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return value


def _read(column: Column[object], value: object) -> object:
    """Return a value as its column holds it; raise ValueError for another form."""
    if value is None:
        return None
    if isinstance(column.type, BigInteger):
        if type(value) is int:
            return value
    elif isinstance(column.type, Float):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str):
        binary = isinstance(column.type, LargeBinary)
        return base64.b64decode(value, validate=True) if binary else value
    raise ValueError(column.name)
