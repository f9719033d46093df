"""What a leader sent to a shard for one sequence, so that it can be sent once more.

Decides how the memory grows: by doubling, never beyond what the sequence was opened
for. Refuses to know shards and messages.
"""

import torch

_FIRST_POSITIONS = 16


class History:
    """Hidden states of positions 0 to `len`, on the host.

    At most `tokens_max` x `width` elements are ever held; `nbytes` is what is held now.
    """

    def __init__(self, *, width: int, data_type: torch.dtype, tokens_max: int) -> None:
        self._tokens_max = tokens_max
        self._states = torch.empty(
            (min(_FIRST_POSITIONS, tokens_max), width), dtype=data_type
        )
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def nbytes(self) -> int:
        """Return the memory that is held."""
        return self._states.nbytes

    def append(self, hidden: torch.Tensor) -> None:
        """Add the hidden states (n, width) of the next positions.

        Raises:
            ValueError: they are more than the sequence was opened for.
        """
        end = self._length + len(hidden)
        if end > self._tokens_max:
            raise ValueError("a sequence has no more positions than it was opened for")
        if end > len(self._states):
            self._grow(end)
        self._states[self._length : end] = hidden
        self._length = end

    def _grow(self, needed: int) -> None:
        size = min(max(needed, 2 * len(self._states)), self._tokens_max)
        grown = self._states.new_empty((size, self._states.shape[1]))
        grown[: self._length] = self._states[: self._length]
        self._states = grown

    def part(self, first: int, positions: int) -> torch.Tensor:
        """Return at most `positions` hidden states from `first` on."""
        return self._states[first : min(first + positions, self._length)]
