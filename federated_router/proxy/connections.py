"""One channel per node, opened on first use and closed when the node is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, Self

import grpc

from federated_router.api.v1 import decoding_pb2_grpc, inference_pb2_grpc
from federated_router.kit.errors import NodeLost, Unavailable
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.kit.names import resource_id
from federated_router.routing.candidate import Candidate

_READY: Final = grpc.ChannelConnectivity.READY
_FAILED: Final = grpc.ChannelConnectivity.TRANSIENT_FAILURE


class NodeUnreachable(Unavailable):
    """No connection to the node could be made: no request was sent to it."""


@contextmanager
def lost_if_dropped(node: str) -> Iterator[None]:
    """Raise NodeLost where `drop` ended the call inside, as opposed to its caller.

    Both look like a cancellation; only a caller's cancels the task as well. A call that
    begins on a channel already closed is a UsageError of grpc.
    """
    try:
        yield
    except grpc.aio.UsageError:
        raise node_lost(node) from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise node_lost(node) from None


def _unreachable(node: str) -> NodeUnreachable:
    return NodeUnreachable(f"'{node}' does not accept connections.")


def node_lost(node: str) -> NodeLost:
    """Return what a caller is told whose node ended without a word."""
    return NodeLost(
        f"'{node}' was lost; ask again.", metadata={"node": node}, retry_after_s=0.1
    )


class Connection:
    """A channel to one address of a node, by one certificate of the router.

    `users` counts those who may still begin calls on it after the node has left;
    `heard_s` is when the node last sent a part of an answer, by the loop's clock.
    """

    def __init__(
        self, channel: grpc.aio.Channel, address: str, generation: int
    ) -> None:
        self.channel = channel
        self.address = address
        self.generation = generation
        self.stub = inference_pb2_grpc.InferenceServiceStub(channel)
        self.decoding = decoding_pb2_grpc.PrivateDecodingServiceStub(channel)
        self.heard_s = float("-inf")
        self.users = 0
        self.unused = asyncio.Event()
        self.unused.set()

    @property
    def is_ready(self) -> bool:
        """Return whether it stands; begins to connect where nobody has."""
        return self.channel.get_state(try_to_connect=True) is _READY

    @property
    def was_refused(self) -> bool:
        """Return whether the last attempt to connect failed, and gRPC pauses."""
        return self.channel.get_state() is _FAILED

    async def connected(self, node: str) -> None:
        """Return once it stands; raise NodeUnreachable as soon as that is refused.

        A dead process refuses at once, so that nobody waits out the time for it.
        """
        while (state := self.channel.get_state(try_to_connect=True)) is not _READY:
            if state is _FAILED:
                raise _unreachable(node)
            await self.channel.wait_for_state_change(state)

    def hear(self) -> float:
        """Note that the node sent a part of an answer now; return the time."""
        self.heard_s = asyncio.get_running_loop().time()
        return self.heard_s

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the channel open for new calls inside the block, unless it is dropped.

        gRPC refuses new calls on a channel as soon as its closing begins.
        """
        self.users += 1
        self.unused.clear()
        try:
            yield
        finally:
            self.users -= 1
            if not self.users:
                self.unused.set()


Close = Callable[[Connection], Coroutine[object, object, None]]
"""Closes a connection once what it waits for has come."""


class NodeConnections:
    """Gives out stubs whose connection stands, so that a refusal to connect is known.

    Without this a failed call could mean that the node has sampled or that it never
    heard of the request, and only one of the two may be refunded.
    """

    def __init__(
        self,
        channels: Channels,
        *,
        connect_timeout_s: float,
        finish_timeout_s: float = 600.0,
        lapsed_silence_s: float = 1.0,
    ) -> None:
        self._channels = channels
        self._connect_timeout_s = connect_timeout_s
        self._finish_timeout_s = finish_timeout_s
        self._lapsed_silence_s = lapsed_silence_s
        self._open: dict[str, Connection] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._finishing: set[grpc.aio.Channel] = set()

    @asynccontextmanager
    async def kept(self, candidate: Candidate) -> AsyncIterator[Connection]:
        """Return a connection that takes new calls inside the block.

        Also after the node has left in order, for `finish_timeout_s`. Raises as
        `connected`.
        """
        connection = await self.connected(candidate)
        with connection.in_use():
            yield connection

    async def connected(self, candidate: Candidate) -> Connection:
        """Return one that stands; raise NodeUnreachable within the time limit."""
        connection, node = self._connection(candidate), candidate.node
        if not connection.is_ready:
            if connection.was_refused:
                self.let_finish(node)
                connection = self._connection(candidate)
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    await connection.connected(node)
            except TimeoutError:
                raise _unreachable(node) from None
            except grpc.aio.UsageError:
                raise NodeUnreachable(f"'{node}' has just left.") from None
        return connection

    def drop(self, node: str) -> None:
        """Close the node's channel in the background; running calls end as lost."""
        connection = self._open.pop(node, None)
        if connection is not None:
            self._in_background(connection.channel.close(grace=None))

    def lapse(self, node: str) -> None:
        """Close the channel of a node whose lease lapsed, once it says nothing.

        Who still sends parts of answers is alive, whatever became of its renewals:
        closed `lapsed_silence_s` after the last part, or when its calls had their time.
        """
        self._retire(node, self._fall_silent)

    def let_finish(self, node: str) -> None:
        """Send nothing more by the node's channel; running calls keep their time.

        For a node that left in order, and for one that comes with a new lease.
        """
        self._retire(node, self._finish)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in list(self._open):
            self.drop(node)
        for channel in list(self._finishing):
            await channel.close(grace=None)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _in_background(self, closing: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _retire(self, node: str, close: Close) -> None:
        """Give the node's connection out no more, and close it in its own time."""
        connection = self._open.pop(node, None)
        if connection is not None:
            self._finishing.add(connection.channel)
            self._in_background(self._retired(connection, close))

    async def _retired(self, connection: Connection, close: Close) -> None:
        try:
            await close(connection)
        finally:
            self._finishing.discard(connection.channel)

    async def _finish(self, connection: Connection) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._finish_timeout_s):
                await connection.unused.wait()
        await connection.channel.close(grace=self._finish_timeout_s)

    async def _fall_silent(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        latest_s = loop.time() + self._finish_timeout_s
        while True:
            silent_s = connection.heard_s + self._lapsed_silence_s
            left_s = min(silent_s, latest_s) - loop.time()
            if left_s <= 0:
                break
            await asyncio.sleep(left_s)
        await connection.channel.close(grace=None)

    def _connection(self, candidate: Candidate) -> Connection:
        known = self._open.get(candidate.node)
        generation = self._channels.generation
        if known is not None and known.address == candidate.address:
            if known.generation == generation:
                return known
            self.let_finish(candidate.node)
        self.drop(candidate.node)
        channel = self._channels.open(
            candidate.address,
            role=Role.NODE,
            peer_id=resource_id(candidate.node, "nodes"),
        )
        connection = Connection(channel, candidate.address, generation)
        self._open[candidate.node] = connection
        return connection
