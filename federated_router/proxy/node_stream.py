"""One streamed call to one node, read ahead of whoever takes from it.

Decides how far ahead: up to a number of bytes, then the node waits. What comes while
the caller is slower than the node is taken together, so that it leaves together. One
task reads for the whole call; nobody waits for more than there is. A node that begins
and then says nothing for `stall_s` counts as lost, whatever its connection says.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.connections import (
    Connection,
    NodeConnections,
    lost_if_dropped,
)
from federated_router.routing.candidate import Candidate

_FAREWELL_S: Final = 1.0
"""How long a node may take to end a call after its last event."""


class Cancellable(Protocol):
    """A call that can be ended."""

    def cancel(self) -> object:
        """End it."""
        ...


Metadata = tuple[tuple[str, str], ...]


class NodeStream:
    """A call that has begun; owes an `aclose`, which cancels what still runs."""

    def __init__(
        self,
        connections: NodeConnections,
        candidate: Candidate,
        request: pb.GenerateRequest,
        *,
        timeout_s: float,
        metadata: Metadata,
        bytes_max: int,
        stall_s: float,
    ) -> None:
        self._connections = connections
        self._candidate = candidate
        self._bytes_max = bytes_max
        self._stall_s = stall_s
        self._ready: list[pb.GenerateResponse] = []
        self._ready_bytes = 0
        self._error: Exception | None = None
        self._ended = False
        self._finished = False
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._heard_s = loop.time()
        self._begun: asyncio.Future[None] = loop.create_future()
        self._taker: asyncio.Future[None] | None = None
        self._due: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._task = loop.create_task(self._read(request, timeout_s, metadata))

    @property
    def begun(self) -> "asyncio.Future[None]":
        """Return what is done once text, the last event, or an error has come."""
        return self._begun

    @property
    def failed(self) -> bool:
        """Return whether an error ended the call."""
        return self._error is not None

    @property
    def finished(self) -> bool:
        """Return whether the last event has come."""
        return self._finished

    async def taken(self) -> list[pb.GenerateResponse]:
        """Return all that has come, waiting for something; nothing once all came.

        Raises what ended the call, after everything that came before.
        """
        while not self._ready and not self._ended:
            self._taker = self._loop.create_future()
            await self._taker
        taken, self._ready, self._ready_bytes = self._ready, [], 0
        _wake(self._room)
        if not taken and self._error is not None:
            raise self._error
        return taken

    async def ends_within(self, wait_s: float) -> bool:
        """Return whether all came, or as much as may be kept, at most so much later."""
        if self._is_due:
            return True
        due = self._due = self._loop.create_future()
        timer = self._loop.call_later(wait_s, _wake, due)
        try:
            await due
        finally:
            self._due = None
            timer.cancel()
        return self._is_due

    @property
    def _is_due(self) -> bool:
        return self._finished or self._ended or self._room is not None

    async def aclose(self) -> None:
        """Cancel the call, unless the node has said its last word and only ends it."""
        if self._finished and not self._task.done():
            await asyncio.wait({self._task}, timeout=_FAREWELL_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _read(
        self, request: pb.GenerateRequest, timeout_s: float, metadata: Metadata
    ) -> None:
        try:
            connection = await self._connections.connected(self._candidate)
            with lost_if_dropped(self._candidate.node):
                call = connection.stub.Generate(
                    request, timeout=timeout_s, metadata=metadata
                )
                self._watch = self._loop.call_later(self._stall_s, self._look, call)
                try:
                    await self._keep(connection, call)
                finally:
                    self._watch.cancel()
                    call.cancel()
        except Exception as error:  # noqa: BLE001 - raised to whoever takes.
            self._error = error
        finally:
            self._ended = True
            _wake(self._begun)
            _wake(self._taker)
            _wake(self._due)

    async def _keep(
        self, connection: Connection, call: AsyncIterator[pb.GenerateResponse]
    ) -> None:
        async for response in call:
            self._heard_s = connection.hear()
            self._ready.append(response)
            if not self._begun.done() and not response.HasField("started"):
                self._begun.set_result(None)
            if response.HasField("finished"):
                self._finished = True
                _wake(self._due)
            _wake(self._taker)
            self._ready_bytes += response.ByteSize()
            while self._ready_bytes >= self._bytes_max:
                self._room = self._loop.create_future()
                _wake(self._due)
                await self._room
                self._room = None
                self._heard_s = self._loop.time()

    def _look(self, call: Cancellable) -> None:
        """Give the call up where the node stopped in the middle of its answer.

        A call that is cancelled here ends as one whose connection was lost. Others on
        it keep their time, but the next request goes by a connection of its own: who
        cannot make one is known within a second.
        """
        silent_s = self._loop.time() - self._heard_s
        answering = self._begun.done() and not self._finished and self._room is None
        if answering and silent_s >= self._stall_s:
            self._connections.let_finish(self._candidate.node)
            call.cancel()
        else:
            again_s = self._stall_s - silent_s if answering else self._stall_s
            self._watch = self._loop.call_later(again_s, self._look, call)


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
