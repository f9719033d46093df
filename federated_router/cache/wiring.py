"""Puts the cache together: the key, the tiers that are configured, what joins them."""

import asyncio

from federated_router.cache.answers import AnswerCache
from federated_router.cache.disk_store import DiskStore
from federated_router.cache.far_tier import FarTier
from federated_router.cache.key_file import open_secret
from federated_router.cache.memory_tier import MemoryTier
from federated_router.cache.secret import CacheSecret
from federated_router.cache.settings import CacheSettings, DiskSettings, RedisSettings
from federated_router.cache.store import AnswerStore
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid


async def answer_cache(settings: CacheSettings, clock: Clock) -> AnswerCache:
    """Open the key and every tier; the server of the Redis tier may be away.

    Without a tier that outlives the process the key is one that nobody ever sees.

    Raises:
        FieldInvalid: the key file, the directory or the Redis settings cannot be used.
    """
    secret, far = await asyncio.to_thread(_opened, settings)
    return AnswerCache(
        settings,
        clock,
        secret=secret,
        memory=_memory(settings),
        far=[FarTier(store, limits, clock) for store, limits in far],
    )


def _memory(settings: CacheSettings) -> MemoryTier | None:
    if settings.memory is None:
        return None
    return MemoryTier(
        bytes_max=settings.memory.bytes_max,
        tenant_share_max=settings.tenant_share_max,
    )


_Far = list[tuple[AnswerStore, DiskSettings | RedisSettings]]


def _opened(settings: CacheSettings) -> tuple[CacheSecret, _Far]:
    """Return key and far stores, the nearest first. Blocks."""
    if not settings.outlives_process:
        return CacheSecret.fresh(), []
    secret = open_secret(settings.key_file)
    far: _Far = []
    if settings.redis is not None:
        far.append((_redis(settings.redis, settings), settings.redis))
    if settings.disk is not None:
        disk = DiskStore.open(
            settings.disk.directory,
            bytes_max=settings.disk.bytes_max,
            tenant_share_max=settings.tenant_share_max,
        )
        far.insert(0, (disk, settings.disk))
    return secret, far


def _redis(redis: RedisSettings, settings: CacheSettings) -> AnswerStore:
    try:
        from federated_router.cache.redis_store import (  # noqa: PLC0415 - An extra.
            RedisStore,
        )
    except ModuleNotFoundError:
        raise FieldInvalid(
            "Install federated-router[redis], or leave cache.redis out.",
            field="cache.redis",
        ) from None
    return RedisStore.open(
        redis,
        tenant_share_max=settings.tenant_share_max,
        lifetime_max_s=settings.lifetimes.longest_s,
    )
