"""A PostgreSQL server of its own for a test run: one directory, one socket, no port."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg

START_S_MAX: Final = 30.0
USER: Final = "ledger"
UNPRIVILEGED: Final = ("postgres", "nobody")


@dataclass(frozen=True)
class PostgresCluster:
    """A running server, reached through the socket in `directory`."""

    directory: Path
    numbers: Iterator[int]

    def new_user(self) -> str:
        """Return the address of a user who sees an empty schema of their own.

        A schema costs nothing beside a database, which is copied file by file.
        """
        user = f"router{next(self.numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE ROLE {user} SUPERUSER LOGIN")
            connection.execute(f"CREATE SCHEMA {user}")
            connection.execute(f"ALTER ROLE {user} SET search_path = {user}")
        return f"postgresql+psycopg://{user}@/postgres?host={self.directory}"

    def connect(self) -> psycopg.Connection:
        """Return a connection outside any transaction."""
        return psycopg.connect(
            host=str(self.directory), user=USER, dbname="postgres", autocommit=True
        )


def postgres_binaries() -> Path | None:
    """Return the directory of initdb and postgres, None where they are absent."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    return None


@contextmanager
def running_cluster(
    binaries: Path, *, durable: bool = False
) -> Iterator[PostgresCluster]:
    """Initialise and start a server as an unprivileged user; stop it at the end.

    Unless `durable` it does not flush to disk: what dies in tests are its clients.
    """
    # A socket's path has 107 characters at most, so it lies in a short directory.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        directory = Path(name)
        as_user = _drop_privileges(directory)
        data = directory / "data"
        subprocess.run(
            [
                *as_user,
                str(binaries / "initdb"),
                f"--pgdata={data}",
                f"--username={USER}",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        server = subprocess.Popen(
            [
                *as_user,
                *(str(binaries / "postgres"), "-D", str(data), "-k", name),
                *("-c", "listen_addresses="),
                *("-c", f"fsync={'on' if durable else 'off'}"),
                *("-c", f"log_directory={name}", "-c", "logging_collector=on"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            cluster = PostgresCluster(directory, count(1))
            _wait_until_ready(cluster, server)
            yield cluster
        finally:
            server.send_signal(signal.SIGQUIT)  # At once: nothing is kept.
            server.wait(START_S_MAX)


def _drop_privileges(directory: Path) -> list[str]:
    """Give the directory to an unprivileged user and return the prefix to be them."""
    if os.getuid() != 0:
        return []
    for user in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            continue
        os.chown(directory, entry.pw_uid, entry.pw_gid)
        return [
            *("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}"),
            *("--clear-groups", "--pdeathsig=INT"),
        ]
    raise LookupError("PostgreSQL does not run as root, and no other user is known.")


def _wait_until_ready(
    cluster: PostgresCluster, server: subprocess.Popen[bytes]
) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            cluster.connect().close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return
