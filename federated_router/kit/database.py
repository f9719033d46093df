"""One door to a database: named transactions, bounded waits, one kind of failure.

Decides how SQLite and PostgreSQL are opened, how long anybody waits, and which
failures are tried again. Refuses to know tables: a store brings its statements and
its migrations. On SQLite a write transaction takes the lock when it begins (BEGIN
IMMEDIATE), so that it never fails half-way for want of it, and is on disk when it
ends (synchronous=FULL). On PostgreSQL its isolation is the store's choice.

In one process one write transaction runs at a time. That is what SQLite offers, and
on PostgreSQL it spares the rows that everybody wants (a hot budget account) from
conflicting with themselves.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final, Self, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from federated_router.kit.database_address import DatabaseAddress, Isolation
from federated_router.kit.database_writer import DatabaseWriter
from federated_router.kit.errors import StoreUnavailable
from federated_router.kit.migration import migrate

T = TypeVar("T")
ATTEMPTS_MAX: Final = 12
RETRY_AFTER_S: Final = 1.0
_BACKOFF_MS_MAX: Final = 50
_CONFLICT_STATES: Final = frozenset({"40001", "40P01"})
_log = structlog.get_logger(__name__)

TransactionObserver = Callable[[str, float], None]
"""Told the name and the duration in seconds of every transaction, also failed ones."""


class Database:
    """Named transactions on one SQLite file or one PostgreSQL database.

    Every failure of the database leaves as StoreUnavailable, whose message holds no
    detail (that is logged). Only IntegrityError passes as it is: a constraint that
    refuses a row is an answer of the schema, not an outage.
    """

    def __init__(
        self,
        *,
        thread: DatabaseWriter,
        writer: AsyncEngine,
        reader: AsyncEngine,
        timeout_s: float,
        observe: TransactionObserver | None = None,
    ) -> None:
        self._thread = thread
        self._writer = writer
        self._reader = reader
        self._timeout_s = timeout_s
        self._observe = observe
        self._one_writer = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        migrations: str | Path,
        timeout_s: float = 5.0,
        readers_max: int = 4,
        isolation: Isolation = Isolation.REPEATABLE_READ,
        server_settings: Mapping[str, str] | None = None,
        observe: TransactionObserver | None = None,
    ) -> Self:
        """Create or upgrade the schema, then return the open database.

        `url` is `sqlite+aiosqlite:////absolute/path` or `postgresql+psycopg://...`;
        `migrations` is a package's dotted name or a directory of revisions.
        `timeout_s` bounds every transaction, its wait for a connection included.
        Raises FieldInvalid for another kind of address, StoreUnavailable for a
        database that does not answer or that newer code has written.
        """
        address = DatabaseAddress.parse(
            url,
            timeout_s=timeout_s,
            isolation=isolation,
            server_settings=server_settings,
        )
        await asyncio.to_thread(_upgrade, address, _directory(migrations))
        return cls(
            thread=DatabaseWriter(address.blocking()),
            writer=address.writer(),
            reader=address.reader(connections_max=readers_max),
            timeout_s=timeout_s,
            observe=observe,
        )

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Open the write transaction `name`: committed at the end, or rolled back.

        For work that awaits in between. A conflict with another process is not tried
        again, because the body cannot be run twice: `write` does that, and is faster.
        A cancellation that arrives during the commit leaves its outcome unknown.
        """
        async with (
            self._bounded(name),
            self._one_writer,
            self._writer.begin() as connection,
        ):
            yield connection

    @asynccontextmanager
    async def read(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Open the read-only transaction `name`: one consistent view, no lock."""
        async with self._bounded(name), self._reader.begin() as connection:
            yield connection

    async def look(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads, in the writer's thread between two writes.

        For a store with one user: one visit to the thread costs a third of what a
        driver costs that is awaited for each statement, and nothing is synced.
        """
        return await self._attempt(name, work)

    async def write(self, name: str, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction and return its answer after the commit.

        `work` runs in the writer's thread. After a conflict with another process
        (SQLSTATE 40001 or 40P01) it runs again from the start, so it must touch
        nothing but the connection that it is given. A cancelled or timed out call may
        still take effect.
        """
        attempt = 1
        while True:
            try:
                return await self._attempt(name, work)
            except StoreUnavailable as error:
                conflict = _error_code(error.__cause__) in _CONFLICT_STATES
                if attempt == ATTEMPTS_MAX or not conflict:
                    raise
            await asyncio.sleep(_backoff_s(attempt))
            attempt += 1

    async def close(self) -> None:
        """Let the running write transaction end, then close every connection."""
        async with self._one_writer:
            await self._thread.close()
            await self._writer.dispose()
            await self._reader.dispose()

    async def _attempt(self, name: str, work: Callable[[Connection], T]) -> T:
        async with self._bounded(name):
            await self._one_writer.acquire()
            done = self._thread.submit(work)
            # The next writer waits for the transaction, not for whoever asked for it.
            done.add_done_callback(self._finished)
            return await asyncio.shield(done)

    def _finished(self, done: asyncio.Future[T]) -> None:
        self._one_writer.release()
        if not done.cancelled():
            done.exception()  # Seen, also where nobody waits any more.

    @asynccontextmanager
    async def _bounded(self, name: str) -> AsyncIterator[None]:
        """End what runs inside after `timeout_s`; translate and observe its failure."""
        started_s = time.perf_counter()
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                yield
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise unavailable(name, error) from error
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise unavailable(name, error) from error
        finally:
            if self._observe is not None:
                self._observe(name, time.perf_counter() - started_s)


def _directory(migrations: str | Path) -> Path:
    """Return the directory of revisions, given as such or as a package's name."""
    if isinstance(migrations, Path):
        return migrations
    return Path(str(files(migrations)))


def _upgrade(address: DatabaseAddress, directory: Path) -> None:
    """Create the file where there is one, and migrate; blocks the calling thread."""
    try:
        address.make_private_file()
    except OSError as error:
        raise unavailable("create", error) from error
    engine = address.blocking()
    try:
        migrate(engine, directory)
    except SQLAlchemyError as error:
        raise unavailable("migrate", error) from error
    finally:
        engine.dispose()


def unavailable(name: str, error: Exception) -> StoreUnavailable:
    """Log what the database said, and return the error that tells nothing of it.

    The driver's text may quote a row, so only its class and code are logged, and its
    first line where there is no code: that is a failed connection.
    """
    code = _error_code(error)
    detail = "" if code else str(getattr(error, "orig", error)).partition("\n")[0]
    _log.warning(
        "database_unavailable",
        transaction=name,
        error=type(error).__name__,
        code=code,
        detail=detail,
    )
    return StoreUnavailable(
        "The database did not complete the operation, which may or may not have "
        "taken effect. Repeat it with the same request id.",
        metadata={"transaction": name},
        retry_after_s=RETRY_AFTER_S,
    )


def _error_code(error: BaseException | None) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's error name; empty if there is none."""
    if not isinstance(error, DBAPIError):
        return ""
    sqlstate = getattr(error.orig, "sqlstate", None)
    return str(sqlstate or getattr(error.orig, "sqlite_errorname", None) or "")


def _backoff_s(attempt: int) -> float:
    """Return a random pause, its bound doubling with each attempt up to 50 ms."""
    bound_ms = min(_BACKOFF_MS_MAX, 2**attempt)
    return (1 + secrets.randbelow(bound_ms)) / 1000
