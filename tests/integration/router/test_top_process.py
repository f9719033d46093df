"""`top` as people run it: a process, a router that goes away, Ctrl-C."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federated_router.api.v1 import budget_pb2, load_pb2
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.kit.authority import Authority
from federated_router.kit.config import ServerSettings
from federated_router.kit.grpc_server import (
    BoundServer,
    Health,
    ServiceBinding,
    build_server,
)
from federated_router.kit.identity import Role
from tests.support.budget_desk import Desk
from tests.support.fix_pki import Pki
from tests.support.router_desk import RouterDesk

TOP = (sys.executable, "-m", "federated_router.cli", "top", "--interval", "0.2")
WAIT_S = 60.0


class Door:
    """A router's operator services over mTLS, on one port in all of its lives."""

    def __init__(self, directory: Path) -> None:
        authority = Authority.open(directory / "pki", trust_domain=TRUST_DOMAIN)
        self._pki = Pki(directory / "issued", authority)
        self._router = RouterDesk(Desk(directory))
        self._address = "127.0.0.1:0"
        self._server: BoundServer | None = None
        self.up_file = directory / "up.json"

    async def open(self) -> None:
        """Serve, at the address of an earlier life if there was one."""
        health = Health(())
        self._server = build_server(
            settings=ServerSettings(address=self._address),
            tls=self._pki.tls(Role.ROUTER, "router", domain=TRUST_DOMAIN),
            trust_domain=TRUST_DOMAIN,
            bindings=[
                self._bound(load_pb2.DESCRIPTOR, "LoadService"),
                self._bound(budget_pb2.DESCRIPTOR, "BudgetService"),
            ],
            health_state=health,
        )
        self._address = self._server.address
        self._describe()
        await self._server.server.start()

    async def close(self) -> None:
        """Stop serving."""
        assert self._server is not None
        await self._server.server.stop(None)

    def _bound(self, file: object, name: str) -> ServiceBinding:
        descriptor = file.services_by_name[name]  # type: ignore[attr-defined]
        return ServiceBinding(descriptor, self._router.servicers[name])

    def _describe(self) -> None:
        tls = self._pki.tls(Role.OPERATOR, "operator", domain=TRUST_DOMAIN)
        files = {"cert": str(tls.certificate), "key": str(tls.private_key)}
        content = {
            "router": {"address": self._address},
            "coordinator": {"address": self._address},
            "nodes": [],
            "ca": str(tls.authority),
            "client": files,
            "operator": files,
        }
        self.up_file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """Return a router that serves."""
    one = Door(tmp_path)
    await one.open()
    yield one
    await one.close()


@asynccontextmanager
async def top(
    door: Door, *words: str, output: int = asyncio.subprocess.PIPE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `top`; end it if nobody did."""
    process = await asyncio.create_subprocess_exec(
        *TOP,
        *words,
        "--federation",
        str(door.up_file),
        stdout=output,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "70", "LINES": "20"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def next_with(process: asyncio.subprocess.Process, key: str) -> dict[str, object]:
    """Return the next look that has this key."""
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        while line := await process.stdout.readline():
            look: dict[str, object] = json.loads(line)
            if key in look:
                return look
    raise AssertionError(f"It ended without a look that has '{key}'.")


async def test_router_that_restarts_is_seen_again_and_ctrl_c_ends(door: Door) -> None:
    """Views, then a silence, then views of the next life; exit status 0."""
    async with top(door, "--json") as process:
        await next_with(process, "load")

        await door.close()
        silence = await next_with(process, "silentSince")
        await door.open()
        again = await next_with(process, "load")
        process.send_signal(signal.SIGINT)

        assert silence["router"] == again["router"]
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0


async def test_terminal_is_left_as_it_was(door: Door) -> None:
    """The screen of before comes back, the cursor too, and no line is too wide."""
    master, slave = pty.openpty()
    try:
        async with top(door, output=slave) as process:
            os.close(slave)
            shown = await asyncio.to_thread(_read_until, master, b"nodes")
            process.send_signal(signal.SIGINT)
            rest = await asyncio.to_thread(_read_until, master, b"\x1b[?1049l")
            assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    finally:
        os.close(master)

    assert b"\x1b[?1049h" in shown
    assert b"strategy federated_priors" in shown
    assert b"\x1b[?25h" in shown + rest


def _read_until(terminal: int, mark: bytes) -> bytes:
    """Return what a terminal shows until the mark, or until nobody writes."""
    seen = b""
    while mark not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # Linux says so once the other end is closed.
            break
    return seen
