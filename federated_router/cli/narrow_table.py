"""A table that fits a terminal: columns that matter less are left out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, its cells, and how early it goes: of two, the higher `rank` first."""

    name: str
    cells: tuple[str, ...]
    rank: int = 0
    to_right: bool = False

    @property
    def width(self) -> int:
        """Return how many letters its longest cell has."""
        return max(len(self.name), *map(len, self.cells), 0)


def table_lines(columns: Sequence[Column], *, width: int, indent: int = 2) -> list[str]:
    """Return heading and rows in at most `width` letters each.

    The first column stays whatever the width; what is too long even then is cut.
    """
    kept = list(columns)
    while len(kept) > 1 and indent + _total(kept) > width:
        least = max(range(1, len(kept)), key=lambda place: (kept[place].rank, place))
        del kept[least]
    rows = zip(*([one.name, *one.cells] for one in kept), strict=True)
    return [cut(" " * indent + _line(row, kept), width) for row in rows]


def cut(line: str, width: int) -> str:
    """Return the line, cut to `width` letters with a mark where it was longer."""
    line = line.rstrip()
    if len(line) <= width:
        return line
    return line[: max(0, width - 1)] + "…"[: max(0, width)]


def _total(columns: Sequence[Column]) -> int:
    return sum(one.width for one in columns) + 2 * (len(columns) - 1)


def _line(row: Sequence[str], columns: Sequence[Column]) -> str:
    return "  ".join(
        cell.rjust(one.width) if one.to_right else cell.ljust(one.width)
        for cell, one in zip(row, columns, strict=True)
    )
