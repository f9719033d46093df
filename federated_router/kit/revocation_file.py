"""A file that holds the newest revocation list, for daemons with no other source.

Decides when the file is read again and when it is written: whoever replaces it is
heard within half a second, and what came by other ways lies there after a restart, so
that no restart forgets a revocation. A file that cannot be used changes nothing.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from federated_router.kit.config import ConfigurationError
from federated_router.kit.errors import FederationError
from federated_router.kit.file_mark import FileMark, mark_of
from federated_router.kit.log import get_logger
from federated_router.kit.revocation import (
    LIST_BYTES_MAX,
    RevocationList,
    Revocations,
)
from federated_router.kit.tls_files import write_durably

POLL_S: Final = 0.5
_log = get_logger(__name__)


class RevocationFile:
    """Keeps a file (X.509 CRL, DER) and the process's newest list alike."""

    def __init__(
        self, path: Path, revocations: Revocations, *, authorities_pem: bytes
    ) -> None:
        self._path = path
        self._revocations = revocations
        self._authorities_pem = authorities_pem
        self._mark: FileMark | None = None
        self._number = 0

    def load(self) -> None:
        """Read the file at the start; raise ConfigurationError for one of no use.

        A file that is not there yet is none: the first list brings it.
        """
        try:
            self._take(self._changed())
        except (OSError, FederationError) as error:
            raise ConfigurationError(f"tls.revocation_list: {error}") from error

    async def run(self) -> None:
        """Look at the file for ever, twice a second."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.exchange()

    async def exchange(self) -> None:
        """Take what is newer in the file, and write what is newer here."""
        try:
            self._take(await asyncio.to_thread(self._changed))
            current = self._revocations.current
            if current.number > self._number:
                await asyncio.to_thread(self._keep, current)
        except (OSError, FederationError) as error:
            _log.warning(
                "revocation list not used", path=str(self._path), cause=str(error)
            )

    def _take(self, found: RevocationList | None) -> None:
        """Take a list on the thread that owns the process's newest one."""
        if found is not None:
            self._revocations.take(found)
            self._number = found.number

    def _changed(self) -> RevocationList | None:
        """Return the file's list where the file has changed; runs in a thread."""
        mark = self._look()
        if mark in (None, self._mark):
            return None
        self._mark = mark
        with self._path.open("rb") as file:
            der = file.read(LIST_BYTES_MAX + 1)
        return RevocationList.verified(der, authorities_pem=self._authorities_pem)

    def _keep(self, current: RevocationList) -> None:
        write_durably(self._path, current.der, mode=0o644)
        self._number, self._mark = current.number, self._look()

    def _look(self) -> FileMark | None:
        with contextlib.suppress(FileNotFoundError):
            return mark_of(self._path.stat())
        return None
