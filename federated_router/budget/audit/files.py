"""Files that are whole or absent: exports, backups, the public half of a key.

Decides how a file appears (complete, under its name, on disk) and with which mode;
refuses to know what is in it. A crash leaves at most a file whose name begins with a
dot, and never half of one that somebody could take for the whole.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from federated_router.kit.errors import FieldInvalid

_OF_THE_DISK: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EPERM}
)
_NO_LINKS_HERE: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})


@contextmanager
def whole_file(
    path: Path, *, mode: int, overwrite: bool = False
) -> Iterator[IO[bytes]]:
    """Open `path` for writing bytes; it appears under its name only at the end.

    Raises:
        FieldInvalid: the file exists and `overwrite` was not asked for, or it cannot
            be written here: no such directory, no permission, no space.
    """
    if not overwrite:
        refuse_existing(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        _give_name(draft, path, overwrite=overwrite)
        sync_directory(path.parent)
    except OSError as error:
        # Other failures are those of whoever writes: a network, a database.
        if error.errno not in _OF_THE_DISK:
            raise
        raise _not_written(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def refuse_existing(path: Path) -> None:
    """Raise FieldInvalid where something has this name already."""
    if path.exists():
        raise FieldInvalid(
            f"{path} exists. Name another file, or say that it may be replaced.",
            field="file",
        )


def sync_directory(directory: Path) -> None:
    """Bring the names in `directory` to disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_name(draft: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        draft.replace(path)
        return
    try:
        # Unlike a rename, a link never takes the place of another file.
        path.hardlink_to(draft)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        refuse_existing(path)
        draft.replace(path)


def _not_written(path: Path, error: OSError) -> FieldInvalid:
    return FieldInvalid(f"{path} cannot be written: {error.strerror}.", field="file")
