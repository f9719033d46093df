"""One channel per node, opened on first use and closed when the node is gone."""

import asyncio
from typing import Self

import grpc

from federated_router.api.v1 import inference_pb2_grpc
from federated_router.kit.errors import Unavailable
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.kit.names import resource_id
from federated_router.routing.candidate import Candidate


class NodeUnreachable(Unavailable):
    """No connection to the node could be made: no request was sent to it."""


class _Connection:
    """A channel to one address of a node."""

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self.channel = channel
        self.address = address
        self.stub = inference_pb2_grpc.InferenceServiceStub(channel)


class NodeConnections:
    """Gives out stubs whose connection stands, so that a refusal to connect is known.

    Without this a failed call could mean that the node has sampled or that it never
    heard of the request, and only one of the two may be refunded.
    """

    def __init__(self, channels: Channels, *, connect_timeout_s: float) -> None:
        self._channels = channels
        self._connect_timeout_s = connect_timeout_s
        self._open: dict[str, _Connection] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def stub(
        self, candidate: Candidate
    ) -> inference_pb2_grpc.InferenceServiceStub:
        """Return a connected stub; raise NodeUnreachable within the time limit."""
        connection = self._connection(candidate)
        state = connection.channel.get_state(try_to_connect=True)
        if state is not grpc.ChannelConnectivity.READY:
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    await connection.channel.channel_ready()
            except TimeoutError:
                raise NodeUnreachable(
                    f"'{candidate.node}' does not accept connections."
                ) from None
        return connection.stub

    def drop(self, node: str) -> None:
        """Close the node's channel in the background; running calls end."""
        connection = self._open.pop(node, None)
        if connection is not None:
            task = asyncio.ensure_future(connection.channel.close(grace=None))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in list(self._open):
            self.drop(node)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _connection(self, candidate: Candidate) -> _Connection:
        known = self._open.get(candidate.node)
        if known is not None and known.address == candidate.address:
            return known
        self.drop(candidate.node)
        channel = self._channels.open(
            candidate.address,
            role=Role.NODE,
            peer_id=resource_id(candidate.node, "nodes"),
        )
        connection = _Connection(channel, candidate.address)
        self._open[candidate.node] = connection
        return connection
