"""Disks that outlive their processes, and databases on them that can be cut off.

Decides when a write takes effect and when its process dies or fails instead: before
the commit, or between the commit and the answer. Statements, tables and migrations are
the stores' own, on SQLite in memory: what was committed survives a kill, nothing else
does. Refuses to know what is stored, and when faults come (`StoreFaults`).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import Result
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import Executable
from sqlalchemy.util import LRUCache

from coordinator.simulation.process import Process
from federated_router.kit.database import Database, unavailable
from federated_router.kit.errors import StoreUnavailable
from federated_router.kit.migration import migrate

T = TypeVar("T")
_compiled: LRUCache[Any, Any] = LRUCache(500)
WRITE_S: Final = 0.002
"""Virtual seconds before and after a commit, in which a process can be killed."""


class Fault(Enum):
    """What becomes of one write."""

    NONE = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    FAIL_BEFORE = auto()
    FAIL_AFTER = auto()


class StoreFaults(Protocol):
    """Says what becomes of the next write of one store."""

    def next_write(self, name: str) -> Fault:
        """Return the fate of a write transaction of this name."""
        ...


class Disk:
    """One SQLite database in memory, migrated; `close` frees it."""

    def __init__(self, migrations: str) -> None:
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.deserialize(_migrated(migrations))
        self._database.isolation_level = None
        self.engine = _engine(self._database)

    def close(self) -> None:
        """Free the memory."""
        self.engine.dispose()
        self._database.close()


class DiskDatabase(Database):
    """`kit.database.Database` for one life of a process on a disk."""

    def __init__(self, disk: Disk, *, process: Process, faults: StoreFaults) -> None:
        self._disk = disk
        self._process = process
        self._faults = faults
        self._one_write = asyncio.Lock()

    @asynccontextmanager
    async def read(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that changes nothing, and lose what it changes."""
        try:
            with self._disk.engine.connect() as connection:
                yield cast("AsyncConnection", _AwaitedConnection(connection))
        except SQLAlchemyError as error:
            raise unavailable(name, error) from error

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction; the simulation injects no faults here."""
        async with self._one_write:
            try:
                with self._disk.engine.begin() as connection:
                    yield cast("AsyncConnection", _AwaitedConnection(connection))
            except IntegrityError:
                raise
            except SQLAlchemyError as error:
                raise unavailable(name, error) from error

    async def look(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads; the simulation injects no faults here."""
        async with self.read(name) as connection:
            return await connection.run_sync(work)

    async def write(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that a caller who hangs up does not stop."""
        return await asyncio.shield(self._process.spawn(self._written(name, work)))

    async def close(self) -> None:
        """Let the running write end; the disk is its owner's to close."""
        async with self._one_write:
            return

    async def _written(self, name: str, work: Callable[[Connection], T]) -> T:
        async with self._one_write:
            await asyncio.sleep(WRITE_S)
            fault = self._faults.next_write(name)
            if fault is Fault.CRASH_BEFORE:
                await self._process.die_here(f"killed before the commit of {name!r}")
            if fault is Fault.FAIL_BEFORE:
                raise _failed(name)
            answer = self._commit(name, work)
            if fault is Fault.CRASH_AFTER:
                await self._process.die_here(f"killed after the commit of {name!r}")
            await asyncio.sleep(WRITE_S)
            if fault is Fault.FAIL_AFTER:
                raise _failed(name)
            return answer

    def _commit(self, name: str, work: Callable[[Connection], T]) -> T:
        try:
            with self._disk.engine.begin() as connection:
                answer = work(connection)
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise unavailable(name, error) from error
        return answer


class _AwaitedConnection:
    """What stores use of an AsyncConnection, over one that answers at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Executable) -> Result[Any]:
        """Execute one statement."""
        return self._connection.execute(statement)

    async def run_sync(self, work: Callable[..., T], *args: object) -> T:
        """Call `work` with the connection."""
        return work(self._connection, *args)


@lru_cache(maxsize=4)
def _migrated(migrations: str) -> bytes:
    """Return an empty database with the newest schema; migrating takes long."""
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    raw.isolation_level = None
    engine = _engine(raw)
    migrate(engine, Path(str(files(migrations))))
    content = raw.serialize()
    engine.dispose()
    raw.close()
    return content


@lru_cache(maxsize=1)
def _template() -> Engine:
    """Return an engine whose dialect all disks share."""
    template = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    with template.connect():
        return template


def _engine(raw: sqlite3.Connection) -> Engine:
    """Return an engine on one connection, with the promises of the product's own."""
    template = _template()
    pool = StaticPool(lambda: cast("DBAPIConnection", raw), dialect=template.dialect)
    engine = Engine(
        pool,
        template.dialect,
        template.url,
        hide_parameters=True,
        execution_options={"compiled_cache": _compiled},
    )
    raw.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin_now(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _failed(name: str) -> StoreUnavailable:
    return StoreUnavailable(
        "The simulated disk did not complete the operation.",
        metadata={"transaction": name},
        retry_after_s=1.0,
    )
