"""The coordinator's services as bytes in and bytes out, for one life of its process.

Decides what the interceptor of a daemon decides of each call: who may call, and that
required fields are there. Refuses to know the network (`channel`). What is served is
the product's own servicers; every call is a task of the process and dies with it.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, TypeVar, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from coordinator.simulation.process import Process
from coordinator.simulation.virtual_loop import party
from federated_router.kit.errors import (
    FederationError,
    Internal,
    RoleNotAllowed,
    Unavailable,
)
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.kit.validation import check_required

T = TypeVar("T")


class MemoryContext:
    """All of a call's context that the coordinator's handlers ask for."""

    def add_done_callback(
        self, callback: Callable[[grpc.aio.ServicerContext], None]
    ) -> None:
        """Call back at once: in memory an answer has arrived when it is returned."""
        callback(CONTEXT)

    async def send_initial_metadata(self, _: Sequence[tuple[str, str]]) -> None:
        """Tell nobody: in memory a stream has been sent before it is read."""


CONTEXT: Final = cast("grpc.aio.ServicerContext", MemoryContext())


class Servicer(Protocol):
    """What a daemon serves."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]]


@dataclass(frozen=True, slots=True)
class _Method:
    handler: Callable[..., Any]
    request: type[Message]
    callers: frozenset[Role]


class MemoryServer:
    """Serves until its process dies; `defects` are exceptions that no daemon has."""

    def __init__(
        self,
        services: Iterable[tuple[ServiceDescriptor, Servicer]],
        *,
        process: Process,
        defects: list[str],
    ) -> None:
        self._process = process
        self._defects = defects
        self._methods = {
            f"/{service.full_name}/{method.name}": _Method(
                getattr(servicer, method.name),
                GetMessageClass(method.input_type),
                servicer.CALLERS[method.name],
            )
            for service, servicer in services
            for method in service.methods
        }

    @property
    def alive(self) -> bool:
        """Whether the process that serves is alive."""
        return self._process.alive

    def answer(
        self, path: str, caller: Identity, parts: Sequence[bytes], *, streamed: bool
    ) -> "asyncio.Task[bytes]":
        """Begin a call with one answer; `streamed` requests come as an iterator.

        Raises Unavailable where the process is dead.
        """
        self._require_alive()
        return self._process.spawn(
            self._guarded(self._answer(path, caller, parts, streamed=streamed))
        )

    def stream(
        self,
        path: str,
        caller: Identity,
        request: bytes,
        put: Callable[[bytes], Awaitable[None]],
    ) -> "asyncio.Task[None]":
        """Begin a call with many answers, each given to `put`; raise Unavailable."""
        self._require_alive()
        return self._process.spawn(
            self._guarded(self._stream(path, caller, request, put))
        )

    async def _answer(
        self, path: str, caller: Identity, parts: Sequence[bytes], *, streamed: bool
    ) -> bytes:
        method = self._admitted(path, caller)
        messages = [method.request.FromString(part) for part in parts]
        if streamed:
            response = await method.handler(_one_by_one(messages), CONTEXT)
        else:
            check_required(messages[0])
            response = await method.handler(messages[0], CONTEXT)
        return cast("Message", response).SerializeToString()

    async def _stream(
        self,
        path: str,
        caller: Identity,
        content: bytes,
        put: Callable[[bytes], Awaitable[None]],
    ) -> None:
        method = self._admitted(path, caller)
        request = method.request.FromString(content)
        check_required(request)
        responses = method.handler(request, CONTEXT)
        try:
            async for response in responses:
                await put(response.SerializeToString())
        finally:
            await responses.aclose()

    async def _guarded(self, work: Awaitable[T]) -> T:
        party.set("coordinator")
        try:
            return await work
        except FederationError:
            raise
        except Exception as error:
            self._defects.append(f"a handler raised {error!r}")
            raise Internal("The simulated coordinator failed.") from error

    def _admitted(self, path: str, caller: Identity) -> _Method:
        method = self._methods[path]
        if caller.role not in method.callers:
            raise RoleNotAllowed("Another role calls this.")
        set_current_identity(caller)
        return method

    def _require_alive(self) -> None:
        if not self._process.alive:
            raise Unavailable("The simulated coordinator is down.")


async def _one_by_one(messages: Sequence[Message]) -> AsyncIterator[Message]:
    for message in messages:
        yield message
