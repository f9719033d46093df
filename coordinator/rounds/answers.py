"""Large answers on their way to members: so many bytes at once.

Decides how long an answer has its place. gRPC keeps its own copy of an answer until the
receiver has read it, so a place is left when the call is over and not when its handler
returns. Whoever does not read loses its call after `timeout_s`, and the place with it.
Refuses to know what an answer says, and who comes next (`turns`).

What is not covered: members that do not read delay others, each for `timeout_s` a turn.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from coordinator.rounds.turns import Turns
from federated_router.crypto.transcript import MemberName
from federated_router.kit.log import get_logger

log = get_logger("answers")


@dataclass(frozen=True, slots=True)
class _Place:
    """Bytes that one member's answer takes, and what will end its call."""

    member: MemberName
    size_bytes: int
    end: asyncio.TimerHandle


class Answers:
    """Places for answers. A member has one; an answer larger than all goes alone."""

    def __init__(self, *, bytes_max: int, timeout_s: float) -> None:
        self._turns = Turns(capacity=bytes_max, wait_s=timeout_s)
        self._timeout_s = timeout_s

    @property
    def under_way(self) -> int:
        """Return how many bytes are on their way."""
        return self._turns.taken

    async def until_read(
        self, member: MemberName, size_bytes: int, context: grpc.aio.ServicerContext
    ) -> None:
        """Take a place for what the handler is about to return, until its call ends.

        Raises:
            LimitReached: this member is being answered, or its turn did not come.
        """
        place = await self._place(member, size_bytes)
        context.add_done_callback(lambda _: self._leave(place))

    @asynccontextmanager
    async def streamed(
        self, member: MemberName, size_bytes: int
    ) -> AsyncIterator[None]:
        """Hold a place while a handler sends; raise LimitReached as `until_read`."""
        place = await self._place(member, size_bytes)
        try:
            yield
        finally:
            self._leave(place)

    async def _place(self, member: MemberName, size_bytes: int) -> _Place:
        taken = await self._turns.take(member, size_bytes)
        loop, call = asyncio.get_running_loop(), asyncio.current_task()
        end = loop.call_later(self._timeout_s, _end, member, call)
        return _Place(member, taken, end)

    def _leave(self, place: _Place) -> None:
        place.end.cancel()
        self._turns.leave(place.member, place.size_bytes)


def _end(member: MemberName, call: asyncio.Task[object] | None) -> None:
    log.warning("answer not read in time", member=member)
    if call is not None:
        call.cancel()
