"""Checkpoints that somebody outside has kept, and shows again.

Decides in which forms they are taken: a checkpoint as JSON text, a file of such lines,
or an earlier export, whose checkpoints count. Refuses to judge them.
"""

from collections.abc import Iterable
from pathlib import Path

from federated_router.budget.audit.format import bounded_lines, read_line
from federated_router.budget.checkpoint import Checkpoint
from federated_router.kit.errors import FieldInvalid

_FIELD = "checkpoint"


def read_kept(text: str) -> tuple[Checkpoint, ...]:
    """Return the checkpoints in `text`, which is JSON or the name of a file.

    Raises:
        FieldInvalid: no such file, or no checkpoint in it.
    """
    if text.lstrip().startswith("{"):
        return _checkpoints([text.encode()], "this text")
    try:
        with Path(text).open("rb") as file:
            whole = file.read(1 << 16)
            if _is_one_object(whole):
                return _checkpoints([whole], text)
            file.seek(0)
            return _checkpoints(bounded_lines(file), text)
    except OSError as error:
        raise FieldInvalid(
            f"{text} cannot be read: {error.strerror}.", field=_FIELD
        ) from error


def _is_one_object(content: bytes) -> bool:
    """Return whether a file holds one checkpoint over several lines, as printed."""
    try:
        return isinstance(read_line(content), Checkpoint)
    except FieldInvalid:
        return False


def _checkpoints(lines: Iterable[bytes], source: str) -> tuple[Checkpoint, ...]:
    try:
        records = (read_line(line) for line in lines if line.strip())
        found = tuple(one for one in records if isinstance(one, Checkpoint))
    except FieldInvalid as error:
        raise FieldInvalid(f"{source}: {error.message}", field=_FIELD) from error
    if not found:
        raise FieldInvalid(f"{source} holds no checkpoint.", field=_FIELD)
    return found
