"""What a configuration of the cache may say."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from federated_router.cache.settings import (
    CacheSettings,
    DiskSettings,
    LifetimeSettings,
    MemorySettings,
    RedisSettings,
)
from federated_router.cache.wiring import answer_cache
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from federated_router.sensitivity.levels import Sensitivity
from tests.support.cache_world import PUBLIC, answer, found, key_of, question


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@host/0",
        "redis://user@host/0",
        "redis://host/0?password=secret",
        "http://host",
        "host:6379",
    ],
)
def test_a_redis_address_holds_no_secret(url: str) -> None:
    """Configurations are shown in the status; secrets are in files."""
    with pytest.raises(ValidationError):
        RedisSettings(url=url)


@pytest.mark.parametrize("url", ["redis://h:6379/0", "rediss://h", "unix:///run/r"])
def test_addresses_of_three_kinds_are_taken(url: str) -> None:
    """Plain, TLS and a socket of this machine."""
    assert RedisSettings(url=url).url == url


def test_waiting_for_equal_requests_needs_the_memory_tier() -> None:
    """Those who wait find the answer there."""
    with pytest.raises(ValidationError, match="memory tier"):
        CacheSettings(coalesce_s=1.0)


def test_by_default_nothing_is_kept_and_nothing_sensitive_ever() -> None:
    """A cache is switched on by naming a tier."""
    settings = CacheSettings()
    assert not any((settings.memory, settings.disk, settings.redis))
    assert settings.lifetimes.of(Sensitivity.SENSITIVE) == 0
    assert LifetimeSettings().longest_s == settings.lifetimes.of(PUBLIC)


async def test_memory_alone_writes_no_key_file(tmp_path: Path) -> None:
    """A key that nobody needs after the process is not on disk."""
    settings = CacheSettings(memory=MemorySettings(), key_file=tmp_path / "key")
    async with await answer_cache(settings, ManualClock()) as cache:
        await cache.keep(key_of(cache, question()), answer(), PUBLIC)
        assert await found(cache, question()) is not None
    assert list(tmp_path.iterdir()) == []


async def test_a_restarted_router_serves_from_disk(tmp_path: Path) -> None:
    """Key file and directory are all that is needed."""
    settings = CacheSettings(
        memory=MemorySettings(),
        disk=DiskSettings(directory=tmp_path / "answers"),
        key_file=tmp_path / "cache.key",
    )
    async with await answer_cache(settings, ManualClock()) as cache:
        await cache.keep(key_of(cache, question()), answer(), PUBLIC)
    async with await answer_cache(settings, ManualClock()) as cache:
        assert await found(cache, question()) is not None
        assert cache.activity().hits == {"memory": 0, "disk": 1}
        assert set(cache.background) == {"cache", "cache disk"}


async def test_a_redis_tier_without_the_extra_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the router starts, and in words that an operator can act on."""
    monkeypatch.setitem(sys.modules, "federated_router.cache.redis_store", None)
    settings = CacheSettings(
        redis=RedisSettings(url="redis://h"), key_file=tmp_path / "cache.key"
    )
    with pytest.raises(FieldInvalid, match=r"federated-router\[redis\]") as refused:
        await answer_cache(settings, ManualClock())
    assert refused.value.metadata["field"] == "cache.redis"
