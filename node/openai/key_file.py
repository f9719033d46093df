"""The key of an upstream, read again when its file changes.

Decides whether there is a key that may be sent: a file that cannot be read, or holds no
key, means that there is none, whatever it held before. Refuses to know requests. The
key is in no repr, no error and no log.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from federated_router.kit.errors import Unavailable
from federated_router.kit.file_mark import FileMark, mark_of
from federated_router.kit.log import get_logger

LOOK_INTERVAL_S: Final = 1.0
"""How often, at most, the file is looked at."""
LOOK_TIMEOUT_S: Final = 5.0
"""How long a look may take, such as on a file system of the network."""

_log = get_logger("upstream")


class KeyFile:
    """The key in a file, for one event loop.

    Who replaces the file by renaming another one over it loses no request; one that is
    being written in place may be seen empty, and is then looked at again.
    """

    def __init__(
        self, path: Path, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._monotonic_s = monotonic_s
        self._lock = asyncio.Lock()
        self._looked_s = float("-inf")
        self._mark: FileMark | None = None
        self._key = ""
        self._cause = ""

    def read(self) -> None:
        """Read the file for the first time; blocks.

        Raises:
            ValueError: it cannot be read, or does not hold one key on one line.
        """
        self._look()
        self._looked_s = self._monotonic_s()
        if self._cause:
            raise ValueError(self._cause)

    async def key(self) -> str:
        """Return the key as the file has it, at most `LOOK_INTERVAL_S` ago.

        Raises:
            Unavailable: the file holds none now; the log says why, once.
        """
        async with self._lock:
            if self._monotonic_s() - self._looked_s >= LOOK_INTERVAL_S:
                await self._look_again()
        if self._cause:
            raise Unavailable(
                "This node has no key for the server that runs this model; its "
                "operator must see to it. Ask another node."
            )
        return self._key

    async def _look_again(self) -> None:
        before = (self._mark, self._cause)
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await asyncio.to_thread(self._look)
        except TimeoutError:
            self._lose("api_key_file cannot be read in time")
        self._looked_s = self._monotonic_s()
        if (self._mark, self._cause) == before:
            return
        if self._cause:
            _log.warning("upstream has no key", cause=self._cause)
        else:
            _log.info("upstream key read again")

    def _look(self) -> None:
        """Read the file if it is another one than before; note what is wrong."""
        try:
            mark = mark_of(self._path.stat())
            if mark == self._mark:
                return
            key = key_in(self._path.read_bytes())
        except OSError as error:
            self._lose(f"api_key_file cannot be read: {error.strerror}")
        except ValueError as error:
            self._lose(str(error))
        else:
            self._mark, self._key, self._cause = mark, key, ""

    def _lose(self, cause: str) -> None:
        """Forget the key: what the file does not hold is not sent."""
        self._mark, self._key, self._cause = None, "", cause


def key_in(content: bytes) -> str:
    """Return the one key that a file holds; errors show nothing of it.

    Raises:
        ValueError: it is empty, has more than one word, or is not ASCII.
    """
    try:
        key = content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ValueError("api_key_file holds what no key holds") from None
    if not key or not key.isprintable() or " " in key:
        raise ValueError("api_key_file does not hold one key on one line")
    return key
