"""One call from the command line: open a channel, call, close."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import grpc
import typer

from federated_router.cli.connection import UP_FILE, Federation
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role

CALL_TIMEOUT_S = 10.0
Answer = TypeVar("Answer")
UpFile = Annotated[Path, typer.Option("--federation", help="From `local up`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_UP_FILE = UP_FILE


def ask(
    path: Path, role: Role, call: Callable[[grpc.aio.Channel], Awaitable[Answer]]
) -> Answer:
    """Return what `call` answers on a channel to the daemon of `role`, as operator."""

    async def run() -> Answer:
        federation = Federation.load(path)
        async with federation.channel(role) as channel, translated_errors():
            return await call(channel)

    return asyncio.run(run())
