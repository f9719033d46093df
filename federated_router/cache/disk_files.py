"""Files of sealed answers in one directory. Every function blocks.

Decides that a file appears whole or not at all, and that what is not a sealed answer is
deleted. Nothing is flushed to disk: after a crash of the machine a file may hold
anything, and then it does not open.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from federated_router.cache.entries import Place
from federated_router.cache.lru import Slot
from federated_router.cache.secret import (
    DIGEST_BYTES,
    HEADER,
    Unreadable,
    read_header,
)

BLOCK_BYTES: Final = 4096
"""What a file takes at least, and in steps of what."""

_NAME: Final = re.compile(rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}")
_PARTIAL: Final = ".partial"


def size_on_disk(size_bytes: int) -> int:
    """Return what a file of this size counts: whole blocks, and one for its name."""
    return (-(-size_bytes // BLOCK_BYTES) + 1) * BLOCK_BYTES


def claim(directory: Path) -> int:
    """Make the directory this process's own; return the open lock.

    Raises BlockingIOError where another process holds it, OSError as the system does.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def found_slots(directory: Path) -> list[Slot]:
    """Return what lies in the directory, the least recently used first.

    Deletes what a stopped process left half written, and what is no sealed answer.
    """
    slots: list[tuple[float, Slot]] = []
    for path in _answers(directory):
        slot = _slot(path)
        if slot is None:
            path.unlink(missing_ok=True)
        else:
            slots.append((path.stat().st_mtime, slot))
    return [slot for _, slot in sorted(slots, key=lambda pair: pair[0])]


def read(directory: Path, digest: bytes) -> bytes | None:
    """Return a file's content, and mark it as used; None where there is no file."""
    path = directory / digest.hex()
    try:
        content = path.read_bytes()
        os.utime(path)
    except FileNotFoundError:
        return None
    return content


def write(directory: Path, digest: bytes, sealed: bytes) -> None:
    """Put a file in place at once."""
    path = directory / digest.hex()
    partial = path.with_suffix(_PARTIAL)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sealed)
    partial.replace(path)


def delete(directory: Path, digests: tuple[bytes, ...]) -> None:
    """Delete files, as far as they are there."""
    for digest in digests:
        (directory / digest.hex()).unlink(missing_ok=True)


def _answers(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.suffix == _PARTIAL:
            path.unlink(missing_ok=True)
        elif _NAME.fullmatch(path.name):
            yield path


def _slot(path: Path) -> Slot | None:
    with path.open("rb") as file:
        head = file.read(HEADER.size)
        size_bytes = os.fstat(file.fileno()).st_size
    try:
        expires_time_s, tenant = read_header(head)
    except Unreadable:
        return None
    place = Place(digest=bytes.fromhex(path.name), tenant=tenant)
    return Slot(place, size_on_disk(size_bytes), expires_time_s)
