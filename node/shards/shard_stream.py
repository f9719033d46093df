"""One leader's stream at a shard node: frames in, answers out, sequences between.

Decides what each frame means and what it is answered with. What is wrong with a frame
ends its sequence and no other; the end of the stream gives everything back.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    FieldInvalid,
    ModelUnknown,
)
from federated_router.kit.validation import check_required
from node.shards.codec import decode, encode
from node.shards.metrics import FRAMES, SEQUENCES
from node.shards.passes import Passed
from node.shards.sequences import HeldSequence
from node.shards.shard_engine import ShardEngine

_END: Final = None
ANSWERS_WAITING_MAX = 256
"""With so many answers unread, no more frames are read: the leader must read first."""


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A sequence of this stream, and the shard that runs it."""

    held: HeldSequence
    shard: ShardEngine


@dataclass(frozen=True, slots=True)
class _Answer:
    """What goes out, and the sequence whose frame is answered by it, if any."""

    response: pb.ForwardResponse
    frame_of: _Open | None = None


class ShardStream:
    """The sequences of one leader; every method runs on the event loop."""

    def __init__(
        self,
        shards: Mapping[str, ShardEngine],
        clock: Clock,
        is_draining: Callable[[], bool],
    ) -> None:
        self._shards = shards
        self._clock = clock
        self._is_draining = is_draining
        self._open: dict[int, _Open] = {}
        self._out: asyncio.Queue[_Answer | None] = asyncio.Queue()
        self._room = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Return whether it holds no sequence."""
        return not self._open

    def end(self) -> None:
        """Let `answers` end after what is on its way out."""
        self._out.put_nowait(_END)

    async def read(self, frames: AsyncIterator[pb.ForwardRequest]) -> None:
        """Take every frame, and end the answers when there are no more."""
        try:
            async for frame in frames:
                self.take(frame)
                while self._out.qsize() >= ANSWERS_WAITING_MAX:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self.end()

    async def answers(self) -> AsyncGenerator[pb.ForwardResponse, None]:
        """Yield answers as they are ready, until the stream ends."""
        while (answer := await self._out.get()) is not _END:
            self._room.set()
            if answer.frame_of is not None:
                found = answer.frame_of
                found.shard.sequences.answered(found.held, now_s=self._now_s())
            yield answer.response

    def take(self, frame: pb.ForwardRequest) -> None:
        """Do what a frame says, or end its sequence with the reason why not."""
        try:
            check_required(frame)
            self._act(frame)
        except FederationError as error:
            self._fail(frame.sequence, error)

    def _act(self, frame: pb.ForwardRequest) -> None:
        match frame.WhichOneof("action"):
            case "open":
                self._begin(frame.sequence, frame.open)
            case "activations":
                self._forward(frame.sequence, frame.activations)
            case "close":
                self._drop(frame.sequence)
            case _:
                raise FieldInvalid("Say what to do.", field="action")

    def _begin(self, number: int, asked: pb.OpenSequence) -> None:
        if number in self._open:
            raise FieldInvalid("Open each sequence once.", field="sequence")
        if self._is_draining():
            raise Draining("This shard is draining; use another.", retry_after_s=1.0)
        shard = self._shard(asked)
        held = shard.sequences.begin(asked.tokens_max, now_s=self._now_s())
        self._open[number] = _Open(held, shard)
        SEQUENCES.labels(asked.model).inc()
        opened = pb.SequenceOpened()
        self._say(pb.ForwardResponse(sequence=number, opened=opened))

    def _shard(self, asked: pb.OpenSequence) -> ShardEngine:
        shard = self._shards.get(asked.model)
        if shard is None:
            raise ModelUnknown(
                f"No layers of '{asked.model}' run here.",
                metadata={"model": asked.model},
            )
        if asked.model_digest != shard.facts.digest:
            raise FieldInvalid(
                "Another model runs here under this name.", field="open.model_digest"
            )
        layers = shard.source.layers
        if (asked.first_layer, asked.end_layer) != (layers.first, layers.end):
            raise FieldInvalid(f"Layers {layers} run here.", field="open.first_layer")
        return shard

    def _forward(self, number: int, given: pb.Activations) -> None:
        found = self._open.get(number)
        if found is None:
            raise FieldInvalid("Open the sequence first.", field="sequence")
        facts, sequences = found.shard.facts, found.shard.sequences
        hidden = decode(given, width=facts.width, data_type=facts.data_type)
        first = given.first_position
        sequences.extend(found.held, first, given.positions, now_s=self._now_s())
        found.shard.submit(
            found.held, first, hidden, partial(self._passed, number, found, first)
        )

    def _passed(self, number: int, found: _Open, first: int, result: Passed) -> None:
        """Answer a frame, unless its sequence is over by now."""
        if self._open.get(number) is not found:
            return
        model = found.shard.source.model
        if isinstance(result, Exception):
            found.shard.sequences.answered(found.held, now_s=self._now_s())
            self._fail(number, result)
            return
        FRAMES.labels(model, "ok").inc()
        activations = encode(result, first=first)
        self._say(pb.ForwardResponse(sequence=number, activations=activations), found)

    def _fail(self, number: int, error: Exception) -> None:
        """Tell why the sequence ended."""
        found = self._open.get(number)
        model = found.shard.source.model if found is not None else ""
        FRAMES.labels(model, "failed").inc()
        self._drop(number)
        reason = error.reason if isinstance(error, FederationError) else "INTERNAL"
        ended = pb.SequenceError(reason=reason, message=str(error))
        self._say(pb.ForwardResponse(sequence=number, error=ended))

    def _drop(self, number: int) -> None:
        found = self._open.pop(number, None)
        if found is not None:
            found.shard.sequences.end(found.held)
            SEQUENCES.labels(found.shard.source.model).dec()
        if not self._open and self._is_draining():
            self.end()

    def _say(self, response: pb.ForwardResponse, frame_of: _Open | None = None) -> None:
        self._out.put_nowait(_Answer(response, frame_of))

    def sweep(self) -> None:
        """End the sequences that nobody has used for too long."""
        now_s = self._now_s()
        for number, found in tuple(self._open.items()):
            if found.shard.sequences.is_idle(found.held, now_s=now_s):
                self._fail(number, DeadlineExceeded("Nobody used the sequence."))

    def close(self) -> None:
        """Give every sequence back."""
        for number in tuple(self._open):
            self._drop(number)

    def _now_s(self) -> float:
        return self._clock.monotonic_s()
