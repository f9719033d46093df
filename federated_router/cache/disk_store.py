"""The tier on disk: an index in memory, files read and written in one thread.

Decides that a miss costs no visit to the disk, and that index and files agree: work is
done in the order in which the index changed, also where nobody waits for it any more.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

from federated_router.cache import disk_files
from federated_router.cache.entries import Place
from federated_router.cache.lru import ByteLru, Slot
from federated_router.cache.secret import Unreadable, read_header
from federated_router.cache.store import StoreDown
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.log import get_logger

T = TypeVar("T")
FIELD: Final = "cache.disk.directory"
JOBS_MAX: Final = 256
"""Reads and writes that wait for the thread; a hung disk makes no more of them wait."""

log = get_logger("cache")


class DiskStore:
    """Sealed answers in a directory that belongs to this process alone."""

    tier = "disk"

    def __init__(self, directory: Path, lru: ByteLru, *, lock: int) -> None:
        self._directory = directory
        self._lru = lru
        self._lock = lock
        self._jobs = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache-disk")

    @classmethod
    def open(cls, directory: Path, *, bytes_max: int, tenant_share_max: float) -> Self:
        """Claim the directory and read what lies there. Blocks.

        What exceeds the limits, which may have been lowered, is deleted.

        Raises:
            FieldInvalid: another process has the directory, or it cannot be used.
        """
        try:
            lock = disk_files.claim(directory)
            lru = ByteLru(bytes_max=bytes_max, tenant_share_max=tenant_share_max)
            for slot in disk_files.found_slots(directory):
                fits = lru.fits(slot.size_bytes)
                gone = lru.put(slot) if fits else (slot.place.digest,)
                disk_files.delete(directory, gone)
        except BlockingIOError:
            raise FieldInvalid(
                f"{directory} belongs to another process.", field=FIELD
            ) from None
        except OSError as error:
            raise FieldInvalid(f"{directory}: {error.strerror}", field=FIELD) from error
        return cls(directory, lru, lock=lock)

    @property
    def bytes_held(self) -> int:
        """What its files take, in whole blocks."""
        return self._lru.bytes_held

    async def find(self, place: Place, *, now_s: float) -> bytes | None:
        """Return what is kept in a place and has not expired."""
        slot = self._lru.use(place)
        if slot is None or slot.expires_time_s <= now_s:
            return None
        self._refuse_a_crowd()
        content = await self._do(lambda: disk_files.read(self._directory, place.digest))
        if content is None:
            self._lru.drop(place.digest)
        return content

    async def keep(self, place: Place, sealed: bytes, *, now_s: float) -> None:
        """Write a file; the least recently used go where they are in its way."""
        slot = self._slot(place, sealed)
        if slot is None or slot.expires_time_s <= now_s:
            return
        self._refuse_a_crowd()
        gone = self._lru.put(slot)

        def work() -> None:
            disk_files.delete(self._directory, gone)
            disk_files.write(self._directory, place.digest, sealed)

        try:
            await self._do(work)
        except StoreDown:
            self._lru.drop(place.digest)
            raise

    async def forget(self, place: Place) -> None:
        """Delete a file."""
        if self._lru.drop(place.digest) is not None:
            await self._delete((place.digest,))

    async def sweep(self, *, now_s: float) -> None:
        """Delete what has expired."""
        gone = self._lru.expire(now_s)
        if gone:
            await self._delete(gone)

    async def close(self) -> None:
        """Let what waits be done, then give the directory back."""
        await asyncio.to_thread(self._thread.shutdown)
        os.close(self._lock)

    async def _delete(self, digests: tuple[bytes, ...]) -> None:
        await self._do(lambda: disk_files.delete(self._directory, digests))

    def _slot(self, place: Place, sealed: bytes) -> Slot | None:
        try:
            expires_time_s, _ = read_header(sealed)
        except Unreadable:
            return None
        slot = Slot(place, disk_files.size_on_disk(len(sealed)), expires_time_s)
        return slot if self._lru.fits(slot.size_bytes) else None

    def _refuse_a_crowd(self) -> None:
        if self._jobs >= JOBS_MAX:
            raise StoreDown("The disk is behind with what it was given.")

    async def _do(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread, to its end even if its caller does not wait."""
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._thread, work)
        self._jobs += 1
        job.add_done_callback(self._done)
        try:
            return await asyncio.shield(job)
        except (OSError, RuntimeError) as error:
            raise StoreDown(str(error)) from error

    def _done(self, job: asyncio.Future[T]) -> None:
        self._jobs -= 1
        if not job.cancelled() and (error := job.exception()) is not None:
            log.warning("cache on disk failed", cause=str(error))
