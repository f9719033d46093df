"""A channel that answers each method as a test says, and keeps what was asked."""

import json
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from federated_router.cli.connection import Federation
from federated_router.cli.main import app
from federated_router.kit.config import TlsSettings
from federated_router.kit.identity import Role


class AnsweringChannel:
    """Answers by the method's name: a message, or the code of a call that fails.

    A list is played one call after the other.
    """

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[Message] = []
        self.callers: list[str] = []

    def unary_unary(
        self, method: str, *_: object, **__: object
    ) -> Callable[..., object]:
        """Return the call of a method."""
        name = method.rpartition("/")[2]

        def call(request: Message, *, timeout: float) -> "_Call":
            assert timeout > 0
            self.asked.append(request)
            answer = self.answers[name]
            return _Call(answer.pop(0) if isinstance(answer, list) else answer)

        return call


class _Call:
    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __await__(self) -> Generator[None, None, Message]:
        yield from ()
        if isinstance(self._answer, grpc.StatusCode):
            raise grpc.aio.AioRpcError(
                self._answer,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                details="connection refused",
            )
        assert isinstance(self._answer, Message)
        return self._answer


def described(directory: Path) -> Path:
    """Return a file that describes a federation of nobody."""
    files = {"cert": str(directory / "c"), "key": str(directory / "k")}
    path = directory / "up.json"
    content = {
        "router": {"address": "127.0.0.1:1"},
        "coordinator": {"address": "127.0.0.1:2"},
        "nodes": [],
        "ca": str(directory / "ca.crt"),
        "client": {**files, "cert": str(directory / "client")},
        "operator": files,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def answer_commands(channel: AnsweringChannel, patch: pytest.MonkeyPatch) -> None:
    """Let every command reach this channel, whomever it asks."""

    @asynccontextmanager
    async def opened(
        self: Federation,
        _: Role,
        *,
        node: str = "",
        as_client: TlsSettings | None = None,
    ) -> AsyncIterator[AnsweringChannel]:
        del node
        channel.callers.append((as_client or self.operator).certificate.name)
        yield channel

    patch.setattr(Federation, "channel", opened)


def run_command(directory: Path, *words: str) -> Result:
    """Run a command against the described federation."""
    path = described(directory)
    return CliRunner().invoke(app, [*words, "--federation", str(path)])
