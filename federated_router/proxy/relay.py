"""One public stream from one node: its request, its events, its end.

Decides what a node is told of a public request, and which of its events leave together.
Refuses to know other attempts at the same request.
"""

import time

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.asked import Asked
from federated_router.proxy.merging import merged
from federated_router.proxy.node_stream import NodeStream
from federated_router.proxy.pace import Pace
from federated_router.proxy.sent import Sent


class Relay:
    """A stream that runs at a node; owes an `aclose`."""

    __slots__ = ("_bytes_max", "_closed", "_left_s", "_pace", "sent", "stream")

    def __init__(
        self, sent: Sent, stream: NodeStream, pace: Pace, *, bytes_max: int
    ) -> None:
        self.sent = sent
        self.stream = stream
        self._pace = pace
        self._bytes_max = bytes_max
        self._left_s = float("-inf")
        self._closed = False
        pace.begun()

    async def events(self) -> list[pb.GenerateResponse]:
        """Return what came, chunks joined; nothing once all came. Raises as the call.

        What follows others within the pace's time waits for the rest of it, so that a
        burst leaves in few messages. The first chunk never waits, nor does one that
        comes later, nor what comes with the end.
        """
        pause_s = self._left_s + self._pace.gather_s - time.monotonic()
        if pause_s > 0:
            await self.stream.ends_within(pause_s)
        events = await self.stream.taken()
        if self.stream.begun.done():
            self._left_s = time.monotonic()
        if len(events) == 1:
            return events
        return merged(events, bytes_max=self._bytes_max)

    async def aclose(self) -> None:
        """End the call and its count; what had no end yet is abandoned."""
        if not self._closed:
            self._closed = True
            self._pace.ended()
        self.sent.abandoned()
        await self.stream.aclose()


def for_node(
    asked: Asked,
    model: str,
    told: pb.Generation,
    *,
    seed: int | None = None,
    continuation: pb.Continuation | None = None,
) -> None:
    """Write into `told` what a node is told: the chosen model, a seed, where to go on.

    Wishes are the router's to keep, and stay with it.
    """
    told.CopyFrom(asked.generation)
    told.model = model
    told.priority = asked.told_priority
    told.sensitivity = asked.told_sensitivity
    told.ClearField("wishes")
    if seed is not None:
        told.sampling.seed = seed
    if continuation is not None:
        told.continuation.CopyFrom(continuation)


def draws(sampling: pb.Sampling) -> bool:
    """Return whether an answer may differ each time: not greedy, and without a seed.

    A node's default temperature counts where the request has none.
    """
    greedy = sampling.HasField("temperature") and sampling.temperature == 0
    return not greedy and not sampling.HasField("seed")
