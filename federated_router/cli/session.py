"""One call from the command line: open a channel, call, close."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import grpc
import typer

from federated_router.cli.connection import UP_FILE, Federation
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import Unavailable
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.grpc_errors import answered_by_peer
from federated_router.kit.identity import Role

CALL_TIMEOUT_S = 10.0
Answer = TypeVar("Answer")
Caller = Callable[[Federation], TlsSettings]
"""Picks the identity to call with."""
UpFile = Annotated[Path, typer.Option("--federation", help="From `local up`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OperatorCert = Annotated[
    Path | None,
    typer.Option(
        help="Act as the operator of this certificate; with --operator-key.",
        exists=True,
        dir_okay=False,
    ),
]
OperatorKey = Annotated[
    Path | None,
    typer.Option(help="The certificate's private key.", exists=True, dir_okay=False),
]
DEFAULT_UP_FILE = UP_FILE


def other_operator(certificate: Path | None, private_key: Path | None) -> Caller | None:
    """Return the operator with these files, None where none were given.

    Raises typer.BadParameter for one file without the other.
    """
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise typer.BadParameter(
            "--operator-cert and --operator-key go together.",
            param_hint="--operator-cert",
        )
    return lambda federation: federation.as_operator(certificate, private_key)


def ask(
    path: Path,
    role: Role,
    call: Callable[[grpc.aio.Channel], Awaitable[Answer]],
    *,
    caller: Caller | None = None,
) -> Answer:
    """Return what `call` answers on a channel to the daemon of `role`.

    As the federation's operator, unless `caller` picks another identity.
    """

    async def run() -> Answer:
        federation = Federation.load(path)
        identity = caller(federation) if caller else federation.operator
        async with (
            federation.channel(role, as_client=identity) as channel,
            translated_errors(),
            silence_named(role, federation.address(role)),
        ):
            return await call(channel)

    return asyncio.run(run())


@asynccontextmanager
async def silence_named(role: Role, address: str) -> AsyncIterator[None]:
    """Raise Unavailable with what to check where nobody answers at `address`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        silent = error.code() is grpc.StatusCode.UNAVAILABLE
        if not silent or answered_by_peer(error):
            raise
        raise Unavailable(
            f"The {role.value} at {address} does not answer. Does it run, and are its "
            "certificate and this one of the same federation?",
            metadata={"cause": error.details() or error.code().name},
        ) from error
