"""A range of a model's layers. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class LayerRange:
    """Layers [first, end) of a model; empty for its two ends."""

    first: int
    end: int

    def __post_init__(self) -> None:
        """Refuse a range that runs backwards.

        Raises:
            ValueError: it does.
        """
        if not 0 <= self.first <= self.end:
            raise ValueError("a range of layers begins at 0 or later and ends after")

    @property
    def count(self) -> int:
        """Return how many layers there are in it."""
        return self.end - self.first

    def __str__(self) -> str:
        if self.count <= 1:
            return str(self.first) if self.count else "none"
        return f"{self.first}-{self.end - 1}"
