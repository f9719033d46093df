"""A way to die at a chosen write, before it or after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Killed(BaseException):
    """The coordinator died here; nothing of it may handle this."""


def _raise_killed() -> None:
    raise Killed


@dataclass
class Fuse:
    """Kills the coordinator at one write, counted from when it is lit."""

    writes_left: int | None = None
    after: bool = False
    burnt: int = 0
    die: Callable[[], None] = _raise_killed

    def light(self, writes: int, *, after: bool) -> None:
        """Kill at the write of that number from now on, before or after it."""
        self.writes_left, self.after = writes, after

    def put_out(self) -> None:
        """Kill nobody any more."""
        self.writes_left = None

    async def through(self, write: Callable[[], Awaitable[T]]) -> T:
        """Do a write, unless the coordinator dies before it."""
        dies = self._dies()
        if dies and not self.after:
            self.die()
        answer = await write()
        if dies:
            self.die()
        return answer

    def _dies(self) -> bool:
        if self.writes_left is None:
            return False
        self.writes_left -= 1
        if self.writes_left >= 0:
            return False
        self.writes_left = None
        self.burnt += 1
        return True
