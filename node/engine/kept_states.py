"""Keys and values that outlive the slots they were made in.

Decides how they are cut; refuses to know whose they are. Pure.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class KeptStates:
    """Keys and values of consecutive tokens, a pair for each layer.

    Each is (heads, tokens, head width), a copy that shares no memory with the slots.
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    @property
    def size_bytes(self) -> int:
        """Return the memory of all of them."""
        return sum(key.nbytes + value.nbytes for key, value in self.layers)

    def part(self, start: int, end: int) -> "KeptStates":
        """Return a copy of those of tokens [start, end)."""
        return KeptStates(
            tuple(
                (key[:, start:end].clone(), value[:, start:end].clone())
                for key, value in self.layers
            )
        )
