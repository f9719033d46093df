"""The tier on disk: bounded, its owner's alone, and there again after a restart."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federated_router.cache import disk_files
from federated_router.cache.disk_store import JOBS_MAX, DiskStore
from federated_router.cache.entries import Place, StoredAnswer
from federated_router.cache.secret import CacheSecret
from federated_router.cache.store import StoreDown
from federated_router.kit.errors import FieldInvalid

SECRET = CacheSecret(bytes(32))
NOW_S = 1_700_000_000.0
BLOCK = disk_files.BLOCK_BYTES


def _place(name: str, tenant: str = "clinic") -> Place:
    return SECRET.place(tenant=tenant, question=name.encode())


def _sealed(place: Place, *, size: int = 100, end_s: float = NOW_S + 60) -> bytes:
    return SECRET.seal(place, StoredAnswer(b"x" * size, end_s))


@asynccontextmanager
async def _opened(
    directory: Path, *, blocks: int = 100, share: float = 1.0
) -> AsyncIterator[DiskStore]:
    store = DiskStore.open(directory, bytes_max=blocks * BLOCK, tenant_share_max=share)
    try:
        yield store
    finally:
        await store.close()


async def _kept(store: DiskStore, name: str, tenant: str = "clinic") -> Place:
    place = _place(name, tenant)
    await store.keep(place, _sealed(place), now_s=NOW_S)
    return place


def _files(directory: Path) -> set[str]:
    return {one.name for one in directory.iterdir()} - {"lock"}


async def test_an_answer_is_there_after_a_restart(tmp_path: Path) -> None:
    """That is what the disk is for."""
    async with _opened(tmp_path) as store:
        place = await _kept(store, "a")
        before = store.bytes_held
    async with _opened(tmp_path) as store:
        assert store.bytes_held == before
        sealed = await store.find(place, now_s=NOW_S)
    assert sealed is not None
    assert SECRET.open(place, sealed).content == b"x" * 100


async def test_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    """Sealed or not, nobody else has a use for them."""
    directory = tmp_path / "cache"
    async with _opened(directory) as store:
        await _kept(store, "a")
    assert directory.stat().st_mode & 0o777 == 0o700
    for path in directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


async def test_bytes_on_disk_are_bounded_and_the_least_used_goes(
    tmp_path: Path,
) -> None:
    """Files count in whole blocks and one for their names: here six hold three."""
    async with _opened(tmp_path, blocks=6) as store:
        a, b, c = [await _kept(store, name) for name in "abc"]
        assert await store.find(a, now_s=NOW_S) is not None
        d = await _kept(store, "d")
        assert store.bytes_held == 6 * BLOCK
        assert await store.find(b, now_s=NOW_S) is None
    assert _files(tmp_path) == {one.digest.hex() for one in (a, c, d)}


async def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    """Else a restart would evict what is asked for most."""
    async with _opened(tmp_path, blocks=6) as store:
        a, b, _ = [await _kept(store, name) for name in "abc"]
        for place, time_s in ((a, 1.0), (b, 2.0)):
            os.utime(tmp_path / place.digest.hex(), (time_s, time_s))
        assert await store.find(a, now_s=NOW_S) is not None
    async with _opened(tmp_path, blocks=6) as store:
        await _kept(store, "d")
        assert await store.find(b, now_s=NOW_S) is None
        assert await store.find(a, now_s=NOW_S) is not None


async def test_a_tenant_has_its_share_of_the_disk(tmp_path: Path) -> None:
    """And loses its own files for its own."""
    async with _opened(tmp_path, blocks=8, share=0.5) as store:
        theirs = await _kept(store, "t", "other")
        for name in "abcdef":
            await _kept(store, name)
        assert store.bytes_held == 3 * 2 * BLOCK
        assert await store.find(theirs, now_s=NOW_S) is not None


async def test_what_exceeds_lowered_limits_is_deleted_at_the_start(
    tmp_path: Path,
) -> None:
    """A limit in the configuration holds from the start on."""
    async with _opened(tmp_path) as store:
        for name in "abcdef":
            await _kept(store, name)
    async with _opened(tmp_path, blocks=4) as store:
        assert store.bytes_held == 4 * BLOCK
    assert len(_files(tmp_path)) == 2


async def test_an_answer_larger_than_the_share_is_skipped(tmp_path: Path) -> None:
    """It could only be kept by breaking the limit."""
    async with _opened(tmp_path, blocks=4) as store:
        place = _place("a")
        await store.keep(place, _sealed(place, size=4 * BLOCK), now_s=NOW_S)
        assert store.bytes_held == 0
    assert _files(tmp_path) == set()


async def test_halves_and_nonsense_are_deleted_and_other_files_are_left(
    tmp_path: Path,
) -> None:
    """A stopped process leaves halves; what is not ours is not ours to delete."""
    half = tmp_path / f"{_place('a').digest.hex()}.partial"
    nonsense = tmp_path / _place("b").digest.hex()
    foreign = tmp_path / "notes.txt"
    for path in (half, nonsense, foreign):
        path.write_text("something")
    async with _opened(tmp_path) as store:
        assert store.bytes_held == 0
    assert _files(tmp_path) == {"notes.txt"}


async def test_a_file_that_somebody_deleted_is_a_miss(tmp_path: Path) -> None:
    """And no longer counts."""
    async with _opened(tmp_path) as store:
        place = await _kept(store, "a")
        (tmp_path / place.digest.hex()).unlink()
        assert await store.find(place, now_s=NOW_S) is None
        assert store.bytes_held == 0


async def test_what_has_expired_is_deleted_by_the_sweep(tmp_path: Path) -> None:
    """Answers are gone after their lifetime, not only out of reach."""
    async with _opened(tmp_path) as store:
        place = await _kept(store, "a")
        assert await store.find(place, now_s=NOW_S + 60) is None
        await store.sweep(now_s=NOW_S + 60)
        assert store.bytes_held == 0
        assert _files(tmp_path) == set()


async def test_forgotten_answers_leave_the_disk(tmp_path: Path) -> None:
    """What cannot be opened is not kept."""
    async with _opened(tmp_path) as store:
        await store.forget(await _kept(store, "a"))
        assert _files(tmp_path) == set()


async def test_a_directory_belongs_to_one_process(tmp_path: Path) -> None:
    """Two indexes of one directory would both be wrong."""
    async with _opened(tmp_path):
        with pytest.raises(FieldInvalid, match="another process") as refused:
            DiskStore.open(tmp_path, bytes_max=1, tenant_share_max=1.0)
    assert refused.value.metadata["field"] == "cache.disk.directory"
    async with _opened(tmp_path):
        """Free again once it was closed."""


async def test_a_disk_that_takes_nothing_is_down_and_counts_nothing(
    tmp_path: Path,
) -> None:
    """What was not written must not count, nor be promised."""
    async with _opened(tmp_path) as store:
        place = _place("a")
        (tmp_path / f"{place.digest.hex()}.partial").mkdir()
        with pytest.raises(StoreDown):
            await store.keep(place, _sealed(place), now_s=NOW_S)
        assert store.bytes_held == 0


async def test_a_hung_disk_lets_only_so_many_wait(tmp_path: Path) -> None:
    """Also where nobody waits for the answers any more."""
    async with _opened(tmp_path) as store:
        place = await _kept(store, "a")
        hang = threading.Event()
        stuck = asyncio.create_task(store._do(lambda: hang.wait(30.0)))
        finds = [
            asyncio.create_task(store.find(place, now_s=NOW_S))
            for _ in range(JOBS_MAX + 10)
        ]
        await asyncio.sleep(0.01)
        try:
            assert store._jobs == JOBS_MAX
            for one in finds:
                one.cancel()
            await asyncio.gather(*finds, return_exceptions=True)
            assert store._jobs == JOBS_MAX
        finally:
            hang.set()
        await stuck
