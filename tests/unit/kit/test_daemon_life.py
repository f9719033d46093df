"""A daemon ends in an orderly way, and never looks alive with a dead limb."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import grpc
import pytest

from federated_router.kit import daemon as kit_daemon
from federated_router.kit.config import (
    ConfigurationError,
    DaemonSettings,
    ServerSettings,
    TlsSettings,
)
from federated_router.kit.daemon import Daemon, own_identity
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.grpc_server import BoundServer, Health
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import Revocations
from federated_router.kit.tls_files import TlsFiles
from tests.support.fix_pki import Pki

FOREVER_S = 3600.0


@dataclass(slots=True)
class Story:
    """What happened, in order; a server that only writes it down."""

    events: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Begin serving."""
        self.events.append("server started")

    async def stop(self, _grace_s: float) -> None:
        """End serving."""
        self.events.append("server stopped")

    @asynccontextmanager
    async def resource(self, name: str) -> AsyncIterator[None]:
        """Open and close something."""
        self.events.append(f"{name} opened")
        yield
        self.events.append(f"{name} closed")


def daemon(
    story: Story,
    *,
    background: dict[str, Callable[[], Awaitable[None]]] | None = None,
    leave: Callable[[], Awaitable[None]] | None = None,
    grace_s: float = 0.05,
    ready_file: Path | None = None,
) -> Daemon:
    """Return a daemon around a server that opens no socket."""
    files = Path("unused")
    return Daemon(
        identity=Identity(Role.NODE, "n1", "a.example"),
        settings=DaemonSettings(
            tls=TlsSettings(certificate=files, private_key=files, authority=files),
            server=ServerSettings(stop_grace_s=grace_s, ready_file=ready_file),
        ),
        bound=BoundServer(
            server=cast("grpc.aio.Server", story),
            address="a:1",
            health=Health([]),
            revocations=Revocations(authorities_pem=b""),
            tls_files=cast("TlsFiles", None),
        ),
        resources=[story.resource("first"), story.resource("second")],
        background=background,
        leave=leave,
    )


async def served(one: Daemon) -> "asyncio.Task[None]":
    """Start a daemon and return once it serves."""
    task = asyncio.create_task(one.run())
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def test_life_is_a_stack() -> None:
    """What opened first closes last; the node leaves before its server stops."""
    story = Story()

    async def leave() -> None:
        story.events.append("left")

    one = daemon(story, leave=leave)
    task = await served(one)

    one.stop()
    await task

    assert story.events == [
        "first opened",
        "second opened",
        "server started",
        "left",
        "server stopped",
        "second closed",
        "first closed",
    ]


async def test_health_turns_before_leaving() -> None:
    """Who asks must be sent elsewhere while the rest still winds down."""
    one: Daemon
    states: list[bool] = []

    async def leave() -> None:
        states.append(one.bound.health.draining)

    one = daemon(Story(), leave=leave)
    task = await served(one)
    before = one.bound.health.draining

    one.stop()
    await task

    assert (before, states) == (False, [True])


async def test_background_failure_ends_the_daemon() -> None:
    """A registry that is no longer swept must not go on granting leases."""
    story = Story()

    async def fails() -> None:
        raise ValueError("lost the thread")

    task = await served(daemon(story, background={"sweep": fails}))

    with pytest.raises(ValueError, match="lost the thread"):
        await task
    assert story.events[-1] == "first closed"


async def test_background_work_that_ends_is_a_failure_too() -> None:
    """For ever is the contract of background work."""

    async def ends() -> None:
        await asyncio.sleep(0)

    task = await served(daemon(Story(), background={"sweep": ends}))

    with pytest.raises(RuntimeError, match="'sweep' ended"):
        await task


async def test_background_work_is_cancelled_at_the_end() -> None:
    """No task outlives its daemon."""
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.sleep(FOREVER_S)
        finally:
            ended.append("sweep")

    one = daemon(Story(), background={"sweep": endless})
    task = await served(one)
    await asyncio.sleep(0)

    one.stop()
    await task

    assert ended == ["sweep"]


async def hangs() -> None:
    """Wait for a router that froze."""
    await asyncio.sleep(FOREVER_S)


async def breaks() -> None:
    """Fail while leaving."""
    raise RuntimeError("the router is away")


@pytest.mark.parametrize("leave", [hangs, breaks])
async def test_failed_farewell_does_not_keep_the_server_running(
    leave: Callable[[], Awaitable[None]],
) -> None:
    """Leaving is a courtesy; the end comes with or without it."""
    story, ended = Story(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(FOREVER_S)
        finally:
            ended.set()

    one = daemon(story, leave=leave, background={"lease": endless})
    task = await served(one)
    await asyncio.sleep(0)

    one.stop()
    await task

    assert "server stopped" in story.events
    assert ended.is_set()


async def test_ready_file_appears_whole(tmp_path: Path) -> None:
    """Whoever waits for it may read it at once."""
    ready = tmp_path / "node.ready"
    one = daemon(Story(), ready_file=ready)
    task = await served(one)
    await asyncio.sleep(0)

    content = ready.read_text(encoding="utf-8")
    one.stop()
    await task

    assert content == '{"identity": "node/n1", "address": "a:1"}'
    assert not ready.with_suffix(".partial").exists()


def test_identity_is_the_certificates(pki: Pki) -> None:
    """A daemon is who its certificate says, whatever its file is called."""
    settings = DaemonSettings(tls=pki.tls(Role.NODE, "n7"))

    identity = own_identity(settings)

    assert identity.member == "node/n7"


def test_missing_certificate_is_a_matter_of_configuration(tmp_path: Path) -> None:
    """A person reads one line, not a traceback."""
    missing = tmp_path / "missing.crt"
    tls = TlsSettings(certificate=missing, private_key=missing, authority=missing)

    with pytest.raises(ConfigurationError, match=r"tls\.certificate"):
        own_identity(DaemonSettings(tls=tls))


def test_certificate_without_an_identity_is_refused(pki: Pki) -> None:
    """An authority's own certificate names nobody."""
    tls = pki.tls(Role.NODE, "n8")
    settings = DaemonSettings(tls=tls.model_copy(update={"certificate": tls.authority}))

    with pytest.raises(ConfigurationError, match=r"tls\.certificate"):
        own_identity(settings)


def test_certificate_that_is_none_is_refused(pki: Pki) -> None:
    """The key's file in the certificate's place is a common slip."""
    tls = pki.tls(Role.NODE, "n9")
    swapped = tls.model_copy(update={"certificate": tls.private_key})

    with pytest.raises(ConfigurationError, match=r"tls\.certificate"):
        own_identity(DaemonSettings(tls=swapped))


async def test_value_that_only_the_daemon_understands_is_told_as_a_setting(
    pki: Pki,
) -> None:
    """A strategy that does not exist is a line for a person and not a traceback."""

    async def build(_: DaemonSettings) -> Daemon:
        raise FieldInvalid("No strategy 'x'.", field="strategy")

    settings = DaemonSettings(tls=pki.tls(Role.ROUTER, "r7"))

    with pytest.raises(ConfigurationError, match="strategy: No strategy"):
        await kit_daemon._run(settings, build)


def test_certificate_of_another_role_is_refused(pki: Pki) -> None:
    """A router with an operator's certificate would be answered by nobody."""
    settings = DaemonSettings(tls=pki.tls(Role.OPERATOR, "op9"))

    with pytest.raises(ConfigurationError, match="router, not of operator/op9"):
        own_identity(settings, role=Role.ROUTER)
