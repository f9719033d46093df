"""Turns at something of which there is not enough for all members at once.

Decides who comes next: whoever asked first, one turn to each member at a time, so that
nobody overtakes a large one and one member cannot hold everything. What waits is a
call, so that the server's limit on calls bounds the queue. Refuses to know what is
shared out.
"""

import asyncio
from collections import deque
from typing import Final

from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import LimitReached

RETRY_S: Final = 1.0


class Turns:
    """Shares out `capacity`; all its methods run in the event loop."""

    def __init__(self, *, capacity: int, wait_s: float) -> None:
        self.capacity = capacity
        self._wait_s = wait_s
        self._free = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._members: set[MemberName] = set()

    @property
    def taken(self) -> int:
        """Return how much is in use."""
        return self.capacity - self._free

    async def take(self, member: MemberName, amount: int) -> int:
        """Return what the member has then, `amount` or all there is; it must `leave`.

        Raises:
            LimitReached: it has or waits for a turn already, or its turn did not come.
        """
        if member in self._members:
            raise LimitReached("Your last call has not ended.", retry_after_s=RETRY_S)
        amount = min(amount, self.capacity)
        self._members.add(member)
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turn(amount)
        except TimeoutError as error:
            self._members.discard(member)
            raise LimitReached(
                "Others are served; come back.", retry_after_s=RETRY_S
            ) from error
        except BaseException:
            self._members.discard(member)
            raise
        return amount

    def leave(self, member: MemberName, amount: int) -> None:
        """Give back what `take` returned; once."""
        self._members.discard(member)
        self._free += amount
        self._serve()

    async def _turn(self, amount: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        entry = (amount, turn)
        self._waiting.append(entry)
        self._serve()
        try:
            await turn
        except BaseException:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:
                self._free += amount
            self._serve()
            raise

    def _serve(self) -> None:
        """Let in who waits, in the order in which they came."""
        while self._waiting and self._waiting[0][0] <= self._free:
            amount, turn = self._waiting.popleft()
            self._free -= amount
            if not turn.done():
                turn.set_result(None)
