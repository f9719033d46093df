"""The frames that wait for a shard's model thread, and which of them go together.

Decides the order: single positions first, all in one pass, then one pass of longer
frames, so that nobody's prompt holds up those who decode. Refuses to know torch.
Frames join on the event loop and are taken in the model thread, hence the lock.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from node.shards.sequences import HeldSequence

PayloadT = TypeVar("PayloadT")


@dataclass(frozen=True, slots=True, eq=False)
class WaitingFrame(Generic[PayloadT]):
    """Hidden states of `positions` positions from `first` on, and whom to tell."""

    sequence: HeldSequence
    first: int
    positions: int
    hidden: PayloadT
    deliver: Callable[[PayloadT | Exception], None]


class FrameLine(Generic[PayloadT]):
    """Waiting frames in the order in which they came; open until `close`."""

    def __init__(self, *, pass_tokens_max: int) -> None:
        self._pass_tokens_max = pass_tokens_max
        self._waiting: list[WaitingFrame[PayloadT]] = []
        self._is_open = True
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, frame: WaitingFrame[PayloadT]) -> None:
        """Put a frame in line; after `close` it is dropped."""
        with self._changed:
            if self._is_open:
                self._waiting.append(frame)
                self._changed.notify()

    def close(self) -> None:
        """Drop what waits and let `take` return nothing for ever."""
        with self._changed:
            self._is_open = False
            self._waiting.clear()
            self._changed.notify_all()

    def take(self) -> list[list[WaitingFrame[PayloadT]]]:
        """Wait for frames; return the passes to run now, none once closed.

        Each pass holds frames of different sequences and equally many positions.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_open or self._has_live())
            passes = passes_of(self._waiting, pass_tokens_max=self._pass_tokens_max)
            taken = {id(frame) for group in passes for frame in group}
            self._waiting = [one for one in self._waiting if id(one) not in taken]
            return passes

    def _has_live(self) -> bool:
        """Forget frames of sequences that ended; return whether any is left."""
        self._waiting = [one for one in self._waiting if not one.sequence.closed]
        return bool(self._waiting)


def passes_of(
    waiting: Sequence[WaitingFrame[PayloadT]], *, pass_tokens_max: int
) -> list[list[WaitingFrame[PayloadT]]]:
    """Return the single positions as one pass, then one pass of a longer length.

    Only the first frame of each sequence is looked at: positions have an order.
    """
    firsts: dict[int, WaitingFrame[PayloadT]] = {}
    for frame in waiting:
        firsts.setdefault(frame.sequence.slot, frame)
    ready = sorted(firsts.values(), key=lambda frame: frame.sequence.slot)
    single = [frame for frame in ready if frame.positions == 1]
    longer = [frame for frame in firsts.values() if frame.positions > 1][:1]
    if longer:
        length = longer[0].positions
        alike = [one for one in ready if one.positions == length]
        room = max(1, pass_tokens_max // length)
        chosen = alike[:room] if longer[0] in alike[:room] else longer
        return [group for group in (single, chosen) if group]
    return [single] if single else []
