"""What watchers are told, on its way to them: so many bytes at once.

Decides that each message waits for a place of its own. A round that has ended names its
survivors, and a thousand watchers are told in the same moment. Refuses to know what is
told and when (`showing`, `newest`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from coordinator.rounds.answers import Answers
from federated_router.crypto.transcript import MemberName


class News:
    """Places for messages. Who watches twice has two; who does not read loses one."""

    def __init__(self, *, bytes_max: int, timeout_s: float) -> None:
        self._answers = Answers(bytes_max=bytes_max, timeout_s=timeout_s)
        self._numbers = count(1)

    @property
    def under_way(self) -> int:
        """Return how many bytes are on their way."""
        return self._answers.under_way

    @asynccontextmanager
    async def place(self, watcher: str, size_bytes: int) -> AsyncIterator[None]:
        """Hold a place while a handler sends; LimitReached where none gets free."""
        watch = MemberName(f"{watcher} {next(self._numbers)}")
        async with self._answers.streamed(watch, size_bytes):
            yield
