"""Public answers served again: looked up before a node is asked, kept afterwards.

Decides how a stored answer is streamed and what of a stream is kept. A stored answer
has no turn to wait for: only what is made needs a place. Refuses to know which requests
have a key, and for how long an answer is good.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.entries import CacheKey
from federated_router.proxy.asked import Asked
from federated_router.proxy.collected import Collected, events_of
from federated_router.proxy.neighbours import Footprints, Keeps

Events = AsyncGenerator[pb.GenerateResponse, None]
Make = Callable[[Asked], Events]
MakeWhole = Callable[[Asked], Awaitable[pb.CompleteResponse]]


class PublicAnswers:
    """The stored answers of one router; of a stream `bytes_max` are kept at most."""

    def __init__(
        self, kept: Keeps, footprints: Footprints | None, *, bytes_max: int
    ) -> None:
        self._kept = kept
        self._footprints = footprints
        self._bytes_max = bytes_max

    def key(self, asked: Asked) -> CacheKey | None:
        """Return where the answer may lie; None where none may."""
        return self._kept.key(
            asked.generation, tenant=asked.tenant, sensitivity=asked.sensitivity
        )

    async def stream(self, asked: Asked, key: CacheKey, make: Make) -> Events:
        """Yield a stored answer, or what `make` makes, which is then kept."""
        stored = await self._found(asked, key)
        if stored is not None:
            for event in events_of(stored):
                yield event
            return
        whole = WholeAnswer(self._bytes_max)
        try:
            async with aclosing(make(asked)) as events:
                async for event in events:
                    whole.add(event)
                    yield event
        finally:
            await self._end(asked, key, whole.message())

    async def complete(
        self, asked: Asked, key: CacheKey, make: MakeWhole
    ) -> pb.CompleteResponse:
        """Return a stored answer, or what `make` makes, which is then kept."""
        stored = await self._found(asked, key)
        if stored is not None:
            return stored
        response: pb.CompleteResponse | None = None
        try:
            response = await make(asked)
        finally:
            await self._end(asked, key, response)
        return response

    async def _found(self, asked: Asked, key: CacheKey) -> pb.CompleteResponse | None:
        stored = await self._kept.find(key)
        if stored is not None:
            asked.took(0)
            if self._footprints is not None:
                self._footprints.add_cached(asked.tenant)
        return stored

    async def _end(
        self, asked: Asked, key: CacheKey, whole: pb.CompleteResponse | None
    ) -> None:
        if whole is None:
            self._kept.abandon(key)
        else:
            await self._kept.keep(key, whole, asked.sensitivity)


class WholeAnswer:
    """Collects a stream's events; nothing of one that is too long or incomplete."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self._collected = Collected()

    def add(self, event: pb.GenerateResponse) -> None:
        """Take note of one event."""
        self._left -= event.ByteSize()
        if self._left < 0:
            self._collected = Collected()
        else:
            self._collected.add(event)

    def message(self) -> pb.CompleteResponse | None:
        """Return the answer if it is whole."""
        if self._left < 0 or not self._collected.is_whole:
            return None
        return self._collected.message()
