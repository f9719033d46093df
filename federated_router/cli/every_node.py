"""Asks the nodes of a federation one thing each, all at once.

Decides that a silent node is named and keeps the others' answers from nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import grpc
import typer

from federated_router.cli.connection import Federation
from federated_router.cli.screen import err
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.kit.identity import Role

Answer = TypeVar("Answer")
Call = Callable[[grpc.aio.Channel], Awaitable[Answer]]


def ask_nodes(
    path: Path, only: str, call: Call[Answer]
) -> tuple[dict[str, Answer], list[str]]:
    """Return what `call` answers by node, and the nodes that do not answer.

    `only` is a node's name, with or without `nodes/`; empty is all of them. Raises
    typer.BadParameter where there is none of that name.
    """
    return asyncio.run(_asked(path, only.removeprefix("nodes/"), call))


def name_silent(silent: list[str]) -> None:
    """Name the nodes that do not answer, and end the command with an error."""
    for node in silent:
        err.print(f"{node} does not answer.", markup=False)
    if silent:
        raise typer.Exit(1)


async def _asked(
    path: Path, only: str, call: Call[Answer]
) -> tuple[dict[str, Answer], list[str]]:
    federation = Federation.load(path)
    names = [
        one.name
        for one in federation.nodes
        if only in ("", one.name.removeprefix("nodes/"))
    ]
    if not names:
        raise typer.BadParameter(f"No node '{only}' in {path}.", param_hint="NAME")
    found: dict[str, Answer] = {}
    silent: list[str] = []

    async def ask(name: str) -> None:
        try:
            async with federation.channel(Role.NODE, node=name) as channel:
                found[name] = await call(channel)
        except grpc.aio.AioRpcError as error:
            away = error.code() is grpc.StatusCode.UNAVAILABLE
            if not away or answered_by_peer(error):
                raise translate(error) from error
            silent.append(name)

    await asyncio.gather(*map(ask, names))
    return {name: found[name] for name in names if name in found}, sorted(silent)
