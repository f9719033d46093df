"""A leader's connection to a shard node: one stream for all of its sequences.

Decides when the connection is given up: at its end, or when a frame is not answered in
time, for then nothing on it can be believed to come. Refuses to know what activations
mean and who takes a lost shard's place. A stream is written and read by one task each,
because a call that is cancelled in the middle of a write takes the stream with it.
"""

import asyncio
import itertools
import time
from typing import TypeAlias

import grpc

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.api.v1 import shards_pb2_grpc as pb_grpc
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.log import get_logger

log = get_logger("pipeline")
Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.ForwardRequest, pb.ForwardResponse]"


class LinkLost(Exception):
    """The stream is over; what it was asked will not be answered."""


class ShardLink:
    """One stream to one node. Make it on the event loop, `close` it there."""

    def __init__(
        self,
        node: str,
        address: str,
        channel: grpc.aio.Channel,
        *,
        connect_timeout_s: float,
    ) -> None:
        self.node = node
        self.address = address
        self._channel = channel
        self._stub = pb_grpc.ShardServiceStub(channel)
        self._connect_timeout_s = connect_timeout_s
        self._numbers = itertools.count(1)
        self._sequences: set[int] = set()
        self._unanswered: dict[int, asyncio.Future[pb.ForwardResponse]] = {}
        self._out: asyncio.Queue[pb.ForwardRequest] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._lost = False

    @property
    def is_lost(self) -> bool:
        """Return whether another link must be made."""
        return self._lost

    @property
    def is_idle(self) -> bool:
        """Return whether no sequence uses it."""
        return not self._sequences

    def begin(self) -> int:
        """Return a number that no sequence of this stream had."""
        number = next(self._numbers)
        self._sequences.add(number)
        return number

    def end(self, sequence: int) -> None:
        """Forget a sequence, here and there; a stream that is over has forgotten it."""
        self._sequences.discard(sequence)
        if not self._lost:
            self.send(pb.ForwardRequest(sequence=sequence, close=pb.CloseSequence()))

    async def request(
        self, frame: pb.ForwardRequest, *, timeout_s: float
    ) -> pb.ForwardResponse:
        """Send a frame and return its answer; one at a time for each sequence.

        Raises:
            LinkLost: the stream ended, or `timeout_s` passed, which ends it.
        """
        answer = asyncio.get_running_loop().create_future()
        self._unanswered[frame.sequence] = answer
        try:
            self.send(frame)
            async with asyncio.timeout(timeout_s):
                found: pb.ForwardResponse = await answer
        except TimeoutError:
            log.warning("shard silent", node=self.node)
            self._give_up()
            raise LinkLost from None
        finally:
            self._unanswered.pop(frame.sequence, None)
        return found

    def send(self, frame: pb.ForwardRequest) -> None:
        """Send a frame without waiting.

        Raises:
            LinkLost: the stream is over.
        """
        if self._lost:
            raise LinkLost
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"link {self.node}")
        self._out.put_nowait(frame)

    async def measure(
        self, model: str, *, calls: int, timeout_s: float
    ) -> tuple[pb.GetShardResponse, float]:
        """Return what the node runs of a model, and the milliseconds there and back.

        Raises:
            FederationError: it does not answer, or runs nothing of it.
        """
        request = pb.GetShardRequest(model=model)
        took_s = []
        for _ in range(calls):
            begin_s = time.perf_counter()
            async with translated_errors():
                response = await self._stub.GetShard(request, timeout=timeout_s)
            took_s.append(time.perf_counter() - begin_s)
        # The least: whatever made the others longer was not the way.
        return response, min(took_s) * 1000

    async def close(self) -> None:
        """End the stream and the connection; idempotent."""
        self._give_up()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._channel.close(grace=None)

    async def _run(self) -> None:
        """Write and read until the stream ends; then nobody waits for it any more."""
        call = self._stub.Forward()
        writing: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await call.wait_for_connection()
            writing = asyncio.create_task(self._write(call))
            await self._read(call)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            log.info("shard link over", node=self.node, cause=type(error).__name__)
        finally:
            call.cancel()
            self._give_up()
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, call: "Call") -> None:
        while True:
            await call.write(await self._out.get())

    async def _read(self, call: "Call") -> None:
        async for response in call:
            answer = self._unanswered.get(response.sequence)
            if answer is not None and not answer.done():
                answer.set_result(response)

    def _give_up(self) -> None:
        self._lost = True
        for answer in self._unanswered.values():
            if not answer.done():
                answer.set_exception(LinkLost())
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
