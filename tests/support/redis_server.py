"""A Redis server of its own for a test run: one directory, one socket, no port."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

START_S_MAX: Final = 20.0
PASSWORD: Final = "of-the-test"  # noqa: S105 - Of a server that ends with the test.


@dataclass(frozen=True)
class RedisServer:
    """A running server, reached through `socket`; it asks for `password_file`'s."""

    socket: Path
    password_file: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return its address."""
        return f"unix://{self.socket}"

    def connect(self) -> Redis:
        """Return a client that sees what lies there."""
        return Redis(unix_socket_path=str(self.socket), password=PASSWORD)


def redis_binary() -> str | None:
    """Return the path of redis-server, None where it is not installed."""
    return shutil.which("redis-server")


@contextmanager
def running_redis(binary: str) -> Iterator[RedisServer]:
    """Start a server that writes nothing to disk; stop it at the end."""
    # A socket's path has 107 characters at most, so it lies in a short directory.
    with tempfile.TemporaryDirectory(prefix="redis-") as name:
        directory = Path(name)
        password_file = directory / "password"
        password_file.write_text(f"{PASSWORD}\n", encoding="utf-8")
        process = subprocess.Popen(
            [
                *(binary, "--port", "0", "--unixsocket", str(directory / "socket")),
                *("--dir", name, "--save", "", "--appendonly", "no"),
                *("--requirepass", PASSWORD),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = RedisServer(directory / "socket", password_file, process)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            process.kill()
            process.wait(START_S_MAX)


def _wait_until_ready(server: RedisServer) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        try:
            with server.connect() as client:
                client.ping()
        except RedisError:
            if server.process.poll() is not None or time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return
