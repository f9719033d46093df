"""What a database's address means: which engine, with which promises and limits.

Decides the settings under which a connection is opened, so that both databases give
the same promises: durable when committed, no wait without an end, files for their
owner only. Refuses to know who uses the connection.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from federated_router.kit.errors import FieldInvalid

_SQLITE: Final = "sqlite+aiosqlite"
_POSTGRES: Final = "postgresql+psycopg"
_CONNECT_TIMEOUT_S_MIN: Final = 2  # What libpq rounds smaller figures up to.


class Isolation(StrEnum):
    """What a write transaction on PostgreSQL sees of others; SQLite has no others.

    REPEATABLE_READ is right for any statements, and fails with a conflict what another
    process has changed meanwhile. READ_COMMITTED waits instead, in line, and is right
    only where every row is locked (FOR UPDATE) before anything is concluded from it.
    On one row that four processes want, the first loses two transactions of three.
    """

    REPEATABLE_READ = "REPEATABLE READ"
    READ_COMMITTED = "READ COMMITTED"


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A checked address, and the longest wait of anything done there."""

    url: URL
    timeout_s: float
    isolation: Isolation = Isolation.REPEATABLE_READ
    server_settings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        timeout_s: float,
        isolation: Isolation = Isolation.REPEATABLE_READ,
        server_settings: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the address; raise FieldInvalid for another kind of database.

        SQLite in memory is refused: the reader and the writer are two connections.
        `server_settings` are run-time parameters of PostgreSQL; SQLite has none.
        """
        try:
            address = make_url(url)
        except ArgumentError:
            address = URL.create("unreadable")
        kind, name = address.drivername, address.database
        if kind not in {_SQLITE, _POSTGRES} or not name or name == ":memory:":
            raise FieldInvalid(
                "Give the database as sqlite+aiosqlite:////absolute/path/to/file or "
                "postgresql+psycopg://user@host/database.",
                field="store.url",
            )
        return cls(
            url=address,
            timeout_s=timeout_s,
            isolation=isolation,
            server_settings=server_settings or {},
        )

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is a file of this machine."""
        return self.url.drivername == _SQLITE

    def make_private_file(self) -> None:
        """Create the SQLite file for its owner only, its directory likewise.

        SQLite gives the siblings (-wal, -shm) the mode of the file. What exists
        already keeps its mode. Does nothing for a server; raises OSError.
        """
        if self.on_sqlite:
            path = Path(str(self.url.database))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))

    def blocking(self) -> Engine:
        """Return an engine with one connection, for a thread that may wait."""
        if not self.on_sqlite:
            return create_engine(
                self.url,
                pool_size=1,
                max_overflow=0,
                pool_timeout=self.timeout_s,
                hide_parameters=True,
                isolation_level=self.isolation.value,
                connect_args=self._server_limits(),
            )
        engine = create_engine(
            self.url.set(drivername="sqlite+pysqlite"),
            pool_size=1,
            max_overflow=0,
            pool_timeout=self.timeout_s,
            hide_parameters=True,
        )
        self._prepare_sqlite(engine, begin="BEGIN IMMEDIATE", query_only="OFF")
        return engine

    def writer(self) -> AsyncEngine:
        """Return the engine of awaited write transactions: one connection."""
        engine = self._pooled(connections_max=1, isolation=self.isolation)
        if self.on_sqlite:
            self._prepare_sqlite(
                engine.sync_engine, begin="BEGIN IMMEDIATE", query_only="OFF"
            )
        return engine

    def reader(self, *, connections_max: int) -> AsyncEngine:
        """Return the engine of transactions that can only read."""
        engine = self._pooled(
            connections_max=connections_max, isolation=Isolation.REPEATABLE_READ
        )
        if not self.on_sqlite:
            return engine.execution_options(postgresql_readonly=True)
        self._prepare_sqlite(engine.sync_engine, begin="BEGIN", query_only="ON")
        return engine

    def _pooled(self, *, connections_max: int, isolation: Isolation) -> AsyncEngine:
        if self.on_sqlite:
            return create_async_engine(
                self.url,
                pool_size=connections_max,
                max_overflow=0,
                pool_timeout=self.timeout_s,
                hide_parameters=True,
            )
        return create_async_engine(
            self.url,
            pool_size=connections_max,
            max_overflow=0,
            pool_timeout=self.timeout_s,
            hide_parameters=True,
            isolation_level=isolation.value,
            connect_args=self._server_limits(),
        )

    def _server_limits(self) -> dict[str, str | int]:
        """Return libpq parameters that end every wait, also for a silent server."""
        limit_ms = math.ceil(self.timeout_s * 1000)
        settings = {
            "statement_timeout": limit_ms,
            "lock_timeout": limit_ms,
            "idle_in_transaction_session_timeout": 2 * limit_ms,
            **self.server_settings,
        }
        return {
            "connect_timeout": max(_CONNECT_TIMEOUT_S_MIN, math.ceil(self.timeout_s)),
            "tcp_user_timeout": limit_ms,
            "options": " ".join(f"-c {name}={one}" for name, one in settings.items()),
        }

    def _prepare_sqlite(self, engine: Engine, *, begin: str, query_only: str) -> None:
        """Set the pragmas of each connection, and begin transactions with `begin`.

        The driver's own transaction handling is switched off: it would begin late,
        with the first write, when the lock may already be somebody else's.
        """
        pragmas = (
            f"busy_timeout = {math.ceil(self.timeout_s * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"query_only = {query_only}",
        )

        @event.listens_for(engine, "connect")
        def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin_now(connection: Connection) -> None:
            connection.exec_driver_sql(begin)
