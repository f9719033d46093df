"""The file that holds the deployment's cache key, made on first use.

Decides that it belongs to its owner alone, and that a file others may read is refused.
Refuses to say anything of the key itself, in logs, errors and reprs.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from federated_router.cache.secret import SECRET_BYTES, CacheSecret
from federated_router.kit.errors import FieldInvalid

FIELD: Final = "cache.key_file"
_OWNER_ONLY: Final = 0o600


def open_secret(path: Path) -> CacheSecret:
    """Return the key in `path`, making one where there is no file. Blocks.

    Routers that start together make one key.

    Raises:
        FieldInvalid: others may read the file, it belongs to somebody else, cannot be
            read or written, or does not hold 64 hexadecimal digits.
    """
    try:
        if not path.exists():
            _make(path)
        return CacheSecret(_read(path))
    except OSError as error:
        raise FieldInvalid(f"{path}: {error.strerror}", field=FIELD) from error


def _make(path: Path) -> None:
    """Put a new key in place at once: nobody ever reads half of one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(SECRET_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(partial)
    except FileExistsError:
        # Another process was first: its key is the one to read.
        return
    finally:
        partial.unlink()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        _refuse_shared(path, os.fstat(file.fileno()))
        content = file.read(2 * SECRET_BYTES + 2)
    try:
        secret = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise FieldInvalid(
            f"{path} does not hold a cache key, {2 * SECRET_BYTES} hexadecimal digits.",
            field=FIELD,
        )
    return secret


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise FieldInvalid(f"{path} belongs to another user.", field=FIELD)
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise FieldInvalid(
            f"Others may read or write {path}. If nobody did, run chmod 600 on it; "
            "else delete it, and the answers that were kept with it are unreadable.",
            field=FIELD,
        )
