"""What the command prints: steps, tables and plain sentences, or JSON for programs."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Json = Mapping[str, object] | Sequence[object]


def step(number: int, title: str) -> None:
    """Begin a numbered part of a longer story."""
    out.print(f"\n[bold]{number}. {title}[/bold]")


def say(text: str) -> None:
    """Print one line of the story."""
    out.print(f"   {text}")


def quote(text: str) -> None:
    """Print text that somebody else wrote, without reading markup in it."""
    out.print(f"   > {text}", markup=False)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, indent: int = 0
) -> None:
    """Print rows under headings, never cut; numbers to the right."""
    margin = " " * indent
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(name), *(len(row[index]) for row in cells)) if cells else len(name)
        for index, name in enumerate(columns)
    ]
    right = [
        bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        for index in range(len(columns))
    ]
    out.print(margin + _line(columns, widths, right), style="bold", markup=False)
    for row in cells:
        out.print(margin + _line(row, widths, right), markup=False)


def print_json(value: Json) -> None:
    """Print JSON and nothing else."""
    out.print(json.dumps(value, indent=2), markup=False)


def bar(spent: int, held: int, limit: int, width: int = 30) -> str:
    """Return a bar of what is spent (#), held (=) and free (.)."""
    if limit <= 0:
        return "." * width
    filled = min(width, round(width * spent / limit))
    reserved = min(width - filled, round(width * held / limit))
    return "#" * filled + "=" * reserved + "." * (width - filled - reserved)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    aligned = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(aligned).rstrip()
