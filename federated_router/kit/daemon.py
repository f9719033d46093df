"""A daemon's life: resources, server, background work, and an orderly end.

A background task that ends or raises ends the daemon with an error: a daemon with a
dead limb must not look alive.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeVar

import uvloop
from cryptography import x509

from federated_router.kit import log as kit_log
from federated_router.kit import metrics
from federated_router.kit.config import ConfigurationError, DaemonSettings, load
from federated_router.kit.errors import InvalidInput, NotIdentified
from federated_router.kit.grpc_server import BoundServer
from federated_router.kit.identity import Identity, Role, identity_of
from federated_router.kit.log import get_logger
from federated_router.kit.revocation_file import RevocationFile
from federated_router.kit.tls_files import finish_replacement

log = get_logger("daemon")
Background = Callable[[], Awaitable[None]]
EXIT_CONFIGURATION = 2
EXIT_FAILED = 1
GARBAGE_THRESHOLD = 10_000
"""Objects made, less those that went, between two collections of the youngest."""


class Daemon:
    """Runs what `app.build` constructed. `run` returns after an orderly stop.

    `leave` runs after health turned NOT_SERVING and before the server stops: the
    place to leave a registry.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        settings: DaemonSettings,
        bound: BoundServer,
        resources: Sequence[AbstractAsyncContextManager[object]] = (),
        background: Mapping[str, Background] | None = None,
        leave: Background | None = None,
    ) -> None:
        self.identity = identity
        self.bound = bound
        self._settings = settings
        self._resources = resources
        self._background = dict(background or {})
        self._leave = leave
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def address(self) -> str:
        """Return the bound `host:port`."""
        return self.bound.address

    def stop(self) -> None:
        """Begin an orderly end; `run` returns when it is over."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until stopped; raise what ended a background task."""
        async with AsyncExitStack() as stack:
            stack.enter_context(
                metrics.serving(self._settings.metrics.address, self._settings.tls)
            )
            for resource in self._resources:
                await stack.enter_async_context(resource)
            await self._serve()
        if self._failure is not None:
            raise self._failure

    async def _serve(self) -> None:
        bound, grace_s = self.bound, self._settings.server.stop_grace_s
        self._observe_certificates()
        await bound.health.start()
        await bound.server.start()
        tasks = [
            asyncio.create_task(self._limb(name, work), name=name)
            for name, work in self._background.items()
        ]
        await bound.health.set_serving()
        self._say_ready()
        try:
            await self._stop.wait()
        finally:
            await bound.health.set_draining()
            await self._farewell(grace_s or 1.0)
            await bound.server.stop(grace_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            metrics.forget_certificates()
            log.info("stopped", identity=self.identity.member)

    def _observe_certificates(self) -> None:
        """Begin to keep the revocation list's file, and show what expires when."""
        bound, tls = self.bound, self._settings.tls
        metrics.CERTIFICATE_EXPIRY.set_function(
            lambda: bound.tls_files.content.expire_s - time.time()
        )
        metrics.REVOCATION_LIST.set_function(lambda: bound.revocations.current.number)
        if tls.revocation_list is None:
            return
        file = RevocationFile(
            tls.revocation_list,
            bound.revocations,
            authorities_pem=bound.tls_files.content.authority,
        )
        file.load()
        self._background["revocation list"] = file.run

    async def _farewell(self, timeout_s: float) -> None:
        """Leave, as far as others answer; the end comes with or without them."""
        if self._leave is None:
            return
        try:
            await asyncio.wait_for(self._leave(), timeout=timeout_s)
        except Exception as error:
            log.warning("left without a farewell", exc_info=error)

    async def _limb(self, name: str, work: Background) -> None:
        try:
            await work()
        except Exception as error:
            log.exception("background work failed", work=name, exc_info=error)
            self._failure = error
        else:
            self._failure = RuntimeError(f"Background work '{name}' ended.")
        self.stop()

    def _say_ready(self) -> None:
        log.info("serving", identity=self.identity.member, address=self.address)
        ready = self._settings.server.ready_file
        if ready is not None:
            partial = ready.with_suffix(".partial")
            content = {"identity": self.identity.member, "address": self.address}
            partial.write_text(json.dumps(content), encoding="utf-8")
            partial.replace(ready)


def own_identity(settings: DaemonSettings, *, role: Role | None = None) -> Identity:
    """Return the identity in the daemon's own certificate, of this role if given.

    Raises ConfigurationError: the file holds no such identity.
    """
    try:
        finish_replacement(settings.tls)
        pem = settings.tls.certificate.read_bytes()
        names = (
            x509.load_pem_x509_certificate(pem)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value.get_values_for_type(x509.UniformResourceIdentifier)
        )
        identity = identity_of(names)
    except (OSError, ValueError, x509.ExtensionNotFound, NotIdentified) as error:
        raise ConfigurationError(f"tls.certificate: {error}") from error
    if role not in (None, identity.role):
        raise ConfigurationError(
            f"tls.certificate: expected one of a {role}, not of {identity.member}"
        )
    return identity


Model = TypeVar("Model", bound=DaemonSettings)


def _rarely_collect_garbage() -> None:
    """Leave what was imported out of collections, and collect a tenth as often.

    A call makes thousands of objects and few cycles; looking through everything that
    lives, again and again, took a tenth of a busy router's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, *gc.get_threshold()[1:])


def main(
    name: str, model: type[Model], build: Callable[[Model], Awaitable[Daemon]]
) -> None:
    """Run a daemon from the command line until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog=name, description=f"Run a {name} daemon.")
    parser.add_argument("--config", type=Path, required=True, help="TOML file")
    arguments = parser.parse_args()
    try:
        settings = load(arguments.config, model)
        kit_log.configure(
            level=settings.log.level,
            form=settings.log.format,
            daemon=name,
            gather_s=settings.log.gather_s,
        )
        _rarely_collect_garbage()
        uvloop.run(_run(settings, build))
        # Everything is closed. What the interpreter would still do, unloading torch
        # above all, takes seconds and keeps nobody's data.
        kit_log.flush()
        sys.stdout.flush()
        os._exit(0)
    except ConfigurationError as error:
        kit_log.flush()
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_CONFIGURATION)
    except Exception as error:
        log.exception("failed", exc_info=error)
        sys.exit(EXIT_FAILED)


async def _run(settings: Model, build: Callable[[Model], Awaitable[Daemon]]) -> None:
    try:
        daemon = await build(settings)
    except InvalidInput as error:
        field = error.metadata.get("field", "")
        raise ConfigurationError(f"{field}: {error.message}") from error
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    await daemon.run()
