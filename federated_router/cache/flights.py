"""Equal requests at once: one is answered, the others wait a moment for its answer.

Decides who goes and for how long the others wait. Refuses to know questions and
answers. A flight that nobody ends, because its request failed, ends by itself.
"""

import asyncio


class Flights:
    """What is under way, by digest of the question.

    With `wait_s` of 0 nobody waits for anybody.
    """

    def __init__(self, *, wait_s: float, waiting_max: int) -> None:
        self._wait_s = wait_s
        self._waiting_max = waiting_max
        self._waiting = 0
        self._under_way: dict[bytes, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait for another's answer."""
        return self._waiting

    async def join(self, digest: bytes) -> bool:
        """Return False for who goes; True once an equal request is over, or took long.

        Who goes has to say `end`, or the others wait for nothing.
        """
        if not self._wait_s:
            return False
        under_way = self._under_way.get(digest)
        if under_way is None:
            self._begin(digest)
            return False
        if self._waiting >= self._waiting_max:
            return False
        self._waiting += 1
        try:
            await asyncio.wait({under_way}, timeout=self._wait_s)
        finally:
            self._waiting -= 1
        return True

    def end(self, digest: bytes) -> None:
        """Let those go on who wait for an answer."""
        under_way = self._under_way.pop(digest, None)
        if under_way is not None and not under_way.done():
            under_way.set_result(None)

    def _begin(self, digest: bytes) -> None:
        if len(self._under_way) >= self._waiting_max:
            return
        loop = asyncio.get_running_loop()
        under_way = self._under_way[digest] = loop.create_future()
        timer = loop.call_later(self._wait_s, self._end_of, digest, under_way)
        under_way.add_done_callback(lambda _: timer.cancel())

    def _end_of(self, digest: bytes, under_way: asyncio.Future[None]) -> None:
        if self._under_way.get(digest) is under_way:
            self.end(digest)
