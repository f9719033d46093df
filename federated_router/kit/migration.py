"""Schemas that only move forward, moved by the daemon that owns them.

Decides which revisions a database still needs and applies them in one transaction.
Refuses to know what a revision contains, and to open a database that was written by
newer code. A store brings a directory of Alembic revision files (`v0001_name.py`);
there is no `env.py` and no `alembic.ini`, because the address is configuration.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from federated_router.kit.errors import StoreUnavailable

# `alembic.op` is one proxy for the whole process, so two databases that open at the
# same moment take turns.
_OP_PROXY = threading.Lock()
# The key under which daemons that start together queue before one PostgreSQL database.
_ADVISORY_LOCK_KEY = 0x6665_6465_7261_7465


def migrate(engine: Engine, directory: Path) -> str:
    """Bring the schema up to the newest revision in `directory`; return its id.

    All revisions and the version row are one transaction. Daemons that start at the
    same time wait for each other, and all but the first find nothing to do.
    Raises StoreUnavailable for a database that holds a revision unknown here.
    """
    script = _script(directory)
    with _OP_PROXY, _locked(engine) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "fn": _steps_to_head(script),
                "version_table": version_table(directory),
            },
        )
        _refuse_newer(context, script)
        with Operations.context(context):
            context.run_migrations()
        return context.get_current_revision() or ""


def newest_revision(directory: Path) -> str:
    """Return the schema revision that this program works with."""
    return _script(directory).get_current_head() or ""


def schema_revision(connection: Connection, directory: Path) -> str:
    """Return the revision that the database holds; empty before the first."""
    context = MigrationContext.configure(
        connection, opts={"version_table": version_table(directory)}
    )
    return context.get_current_revision() or ""


def version_table(directory: Path) -> str:
    """Return the version table's name: one per store, so stores may share a database.

    `federated_router/budget/migrations` keeps its revision in
    `budget_schema_version`.
    """
    return f"{directory.resolve().parent.name}_schema_version"


def _script(directory: Path) -> ScriptDirectory:
    return ScriptDirectory(str(directory), version_locations=[str(directory)])


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only one process at a time can be in."""
    if engine.dialect.name != "postgresql":
        with engine.begin() as connection:
            yield connection
        return
    # A stricter isolation level would look at the schema before it has the lock.
    with engine.execution_options(isolation_level="READ COMMITTED").begin() as waiting:
        waiting.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK_KEY}
        )
        yield waiting


def _steps_to_head(
    script: ScriptDirectory,
) -> Callable[[tuple[str, ...], MigrationContext], list[RevisionStep]]:
    def steps(
        revision: tuple[str, ...], _context: MigrationContext
    ) -> list[RevisionStep]:
        # What alembic.command.upgrade calls; the public door wants an env.py.
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001

    return steps


def _refuse_newer(context: MigrationContext, script: ScriptDirectory) -> None:
    for revision in context.get_current_heads():
        try:
            script.get_revision(revision)
        except CommandError as error:
            raise StoreUnavailable(
                "The database was written by a newer version of this program. Install "
                "that version, or restore the backup taken before its upgrade.",
                metadata={"schema_revision": revision},
            ) from error
