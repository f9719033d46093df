"""A round's sealed shares in the order of their holders, in a file without a name.

Bodies come dealer by dealer and are asked for holder by holder. Decides that each row
of the store is read once and not once for each holder, and that a thousand members'
shares are never in memory together: neighbouring holders' shares are turned around and
written when the first of them asks. What is written is sealed, is lost with the process
and made again, and goes when it is cleared. Refuses to know the store's rows and who
may ask.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import BinaryIO, Final

from federated_router.kit.errors import StoreUnavailable

Rows = Callable[[int], Awaitable[Sequence[bytes]]]
"""Gives, for the first of some neighbouring places, each dealer's shares for them."""

_RETRY_S: Final = 1.0


class Spool:
    """The shares of one round at a time."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._name = ""
        self._file: BinaryIO | None = None
        self._dealers = 0
        self._written: set[int] = set()

    def __del__(self) -> None:
        """Give the file's space back with the last reference."""
        self._close()

    async def clear(self) -> None:
        """Give the file's space back."""
        async with self._lock:
            self._close()

    async def read(
        self, name: str, place: int, *, size: int, first_place: int, rows: Rows
    ) -> bytes:
        """Return what all dealers sealed to the holder at `place`, one after another.

        Args:
            name: the round's.
            size: the bytes of one share; neighbours who share rows have the same, and
                later places no smaller ones.
            first_place: of the neighbours with whom `place` shares rows.
            rows: reads the neighbours' rows, every dealer's, in one order for ever.

        Raises:
            StoreUnavailable: no room for the file, or what `rows` raises.
        """
        async with self._lock:
            if self._name != name:
                self._close()
                self._name = name
            dealt = await rows(first_place) if first_place not in self._written else ()
            try:
                return await asyncio.to_thread(
                    self._turned, dealt, place, size=size, first_place=first_place
                )
            except OSError as error:
                raise StoreUnavailable(
                    "The temporary directory does not hold the round's sealed shares.",
                    retry_after_s=_RETRY_S,
                ) from error

    def _turned(
        self, dealt: Sequence[bytes], place: int, *, size: int, first_place: int
    ) -> bytes:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - kept.
        descriptor = self._file.fileno()
        if dealt:
            for offset in range(0, len(dealt[0]), size):
                column = b"".join(row[offset : offset + size] for row in dealt)
                holder = first_place + offset // size
                _write(descriptor, column, holder * len(column))
            self._dealers = len(dealt)
            self._written.add(first_place)
        length = self._dealers * size
        return os.pread(descriptor, length, place * length)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._name, self._dealers = None, "", 0
        self._written.clear()


def _write(descriptor: int, content: bytes, position: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], position + written)
