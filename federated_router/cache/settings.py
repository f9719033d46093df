"""Cache configuration of a router: which tiers there are, and what they may hold."""

from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from federated_router.kit.config import Settings
from federated_router.sensitivity.levels import Sensitivity

MEBIBYTE: Final = 1 << 20
GIBIBYTE: Final = 1 << 30


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("use redis://, rediss:// (TLS) or unix://")
    if parts.password is not None or parts.username is not None or parts.query:
        raise ValueError("name user, password_file and ca_file in keys of their own")
    return url


RedisUrl = Annotated[str, AfterValidator(_checked_url)]
"""A server's address; never with a password, which would show in the status."""


class LifetimeSettings(Settings):
    """Seconds for which an answer is kept, by how personal its request is; 0 is never.

    A lifetime also bounds for how long an answer outlives the model that gave it.
    """

    public_s: float = Field(default=3600.0, ge=0)
    internal_s: float = Field(default=600.0, ge=0)
    sensitive_s: float = Field(default=0.0, ge=0)

    def of(self, sensitivity: Sensitivity) -> float:
        """Return the lifetime in seconds."""
        match sensitivity:
            case Sensitivity.PUBLIC:
                return self.public_s
            case Sensitivity.INTERNAL:
                return self.internal_s
            case Sensitivity.SENSITIVE:
                return self.sensitive_s

    @property
    def longest_s(self) -> float:
        """Return the longest lifetime of all."""
        return max(self.public_s, self.internal_s, self.sensitive_s)


class MemorySettings(Settings):
    """The tier in the router's own memory."""

    bytes_max: int = Field(default=64 * MEBIBYTE, ge=1)


class FarSettings(Settings):
    """What holds for each tier that is waited for.

    A look-up takes `timeout_s` at most. A tier that failed is left alone for `pause_s`.
    Look-ups that wait at once and bytes that wait to be written are bounded.
    """

    bytes_max: int = Field(default=GIBIBYTE, ge=1)
    timeout_s: float = Field(default=0.1, gt=0)
    pause_s: float = Field(default=5.0, gt=0)
    lookups_max: int = Field(default=64, ge=1)
    waiting_bytes_max: int = Field(default=16 * MEBIBYTE, ge=1)


class DiskSettings(FarSettings):
    """The tier on disk: a directory that belongs to one router."""

    directory: Path


class RedisSettings(FarSettings):
    """The tier in a Redis server, which routers with one `key_file` share."""

    url: RedisUrl
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    prefix: str = Field(default="federated-router", pattern=r"^[a-z0-9._-]{1,63}$")
    connections_max: int = Field(default=16, ge=1)


class CacheSettings(Settings):
    """Stored public answers; without a tier nothing is kept.

    A tenant may hold `tenant_share_max` of each tier. With `keep_sampled`, answers are
    kept that would be drawn anew, neither greedy nor by a seed. With `coalesce_s`, a
    request waits up to that long for the answer to an equal one that is under way.
    """

    memory: MemorySettings | None = None
    disk: DiskSettings | None = None
    redis: RedisSettings | None = None
    key_file: Path = Path("build/router/cache.key")
    lifetimes: LifetimeSettings = LifetimeSettings()
    keep_sampled: bool = False
    answer_bytes_max: int = Field(default=256 * 1024, ge=1, le=4 * MEBIBYTE)
    tenant_share_max: float = Field(default=0.25, gt=0, le=1)
    coalesce_s: float = Field(default=0.0, ge=0)
    coalesced_max: int = Field(default=1024, ge=1)
    sweep_interval_s: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _coalesced_answers_are_near(self) -> Self:
        if self.coalesce_s > 0 and self.memory is None:
            raise ValueError("coalesce_s needs the memory tier")
        return self

    @property
    def outlives_process(self) -> bool:
        """Whether any tier keeps answers where others might read them."""
        return self.disk is not None or self.redis is not None
