"""The tier in a Redis server; the one door to redis-py, an extra.

Decides how the server is reached and what it may hold. Refuses to know what is done
when it is away: each command is tried once, and a failure is StoreDown.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from federated_router.cache.entries import OVERHEAD_BYTES, Place
from federated_router.cache.redis_script import FIND, FORGET, KEEP
from federated_router.cache.secret import Unreadable, read_header
from federated_router.cache.settings import RedisSettings
from federated_router.cache.store import StoreDown
from federated_router.kit.errors import FieldInvalid

_INDEX_SLACK_MS: Final = 60_000


class RedisStore:
    """Sealed answers in a server that routers share.

    Limits hold in the server, over all routers with one prefix: what this process knows
    of the bytes is what its last command saw.
    """

    tier = "redis"

    def __init__(
        self,
        client: Redis,
        settings: RedisSettings,
        *,
        tenant_share_max: float,
        lifetime_max_s: float,
    ) -> None:
        self._client = client
        # Braces are a hash tag: everything lies on one server.
        self._prefix = f"{{{settings.prefix}}}"
        self._bytes_max = settings.bytes_max
        self._tenant_bytes_max = int(settings.bytes_max * tenant_share_max)
        self._index_ms = math.ceil(lifetime_max_s * 1000) + _INDEX_SLACK_MS
        self._find = client.register_script(FIND)
        self._keep = client.register_script(KEEP)
        self._forget = client.register_script(FORGET)
        self._bytes = 0

    @classmethod
    def open(
        cls, settings: RedisSettings, *, tenant_share_max: float, lifetime_max_s: float
    ) -> Self:
        """Return the store; nothing is sent yet, so the server may be away. Blocks.

        Raises:
            FieldInvalid: the password file or the authority cannot be read.
        """
        return cls(
            _client(settings),
            settings,
            tenant_share_max=tenant_share_max,
            lifetime_max_s=lifetime_max_s,
        )

    @property
    def bytes_held(self) -> int:
        """What the answers of all routers counted when this one last asked."""
        return self._bytes

    async def find(self, place: Place, *, now_s: float) -> bytes | None:
        """Return what is kept in a place; the server forgets what has expired."""
        del now_s
        found = await self._run(self._find, *_names(place))
        return found if isinstance(found, bytes) else None

    async def keep(self, place: Place, sealed: bytes, *, now_s: float) -> None:
        """Keep sealed bytes for as long as their header says."""
        size = len(sealed) + OVERHEAD_BYTES
        try:
            expires_time_s, _ = read_header(sealed)
        except Unreadable:
            return
        lifetime_ms = math.floor((expires_time_s - now_s) * 1000)
        if lifetime_ms < 1 or size > self._tenant_bytes_max:
            return
        self._note(
            await self._run(
                self._keep,
                *_names(place),
                size,
                lifetime_ms,
                self._bytes_max,
                self._tenant_bytes_max,
                self._index_ms,
                sealed,
            )
        )

    async def forget(self, place: Place) -> None:
        """Keep nothing in a place."""
        self._note(await self._run(self._forget, *_names(place)))

    async def sweep(self, *, now_s: float) -> None:
        """Ask whether the server is there; it lets answers expire by itself."""
        del now_s
        with _down_if_failing():
            await self._client.ping()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _note(self, held: object) -> None:
        if isinstance(held, int):
            self._bytes = held

    async def _run(self, script: AsyncScript, *arguments: bytes | str | int) -> object:
        with _down_if_failing():
            answer: object = await script(keys=[self._prefix], args=arguments)
        return answer


@contextmanager
def _down_if_failing() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        # What the server says may quote what it was sent.
        raise StoreDown(type(error).__name__) from None


def _names(place: Place) -> tuple[str, str]:
    return place.tenant.hex(), place.digest.hex()


def _client(settings: RedisSettings) -> Redis:
    pool = BlockingConnectionPool.from_url(
        settings.url,
        username=settings.user,
        password=_password(settings.password_file),
        max_connections=settings.connections_max,
        timeout=settings.timeout_s,
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        retry=Retry(NoBackoff(), 0),
        **_trust(settings.ca_file),
    )
    return Redis.from_pool(pool)


def _trust(ca_file: Path | None) -> dict[str, str]:
    if ca_file is None:
        return {}
    if not ca_file.is_file():
        raise FieldInvalid(f"{ca_file}: no such file", field="cache.redis.ca_file")
    return {"ssl_ca_certs": str(ca_file)}


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise FieldInvalid(
            f"{path} cannot be read.", field="cache.redis.password_file"
        ) from None
