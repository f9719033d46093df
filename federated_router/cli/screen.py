"""What the command prints: steps, tables and plain sentences, or JSON for programs."""

import json
import textwrap
from collections.abc import Mapping, Sequence

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
LINE_LENGTH = 88
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


def print_message(message: Message) -> None:
    """Print a message of the contract as JSON, zeros included."""
    print_json(message_content(message))


def message_content(message: Message) -> dict[str, object]:
    """Return a message of the contract as JSON's values, zeros included."""
    content: dict[str, object] = MessageToDict(
        message, always_print_fields_with_no_presence=True
    )
    return content


def facts(rows: Sequence[tuple[str, str]], *, indent: int = 2) -> None:
    """Print labels and what is said of each, in two columns without headings."""
    for line in fact_lines(rows, indent=indent):
        out.print(line, markup=False)


def fact_lines(rows: Sequence[tuple[str, str]], *, indent: int = 2) -> list[str]:
    """Return labels and what is said of each as aligned lines of at most 88 letters."""
    width = max((len(label) for label, _ in rows), default=0)
    margin = " " * (indent + width + 2)
    return [
        line
        for label, text in rows
        for line in textwrap.wrap(
            text,
            LINE_LENGTH,
            initial_indent=f"{' ' * indent}{label.ljust(width)}  ",
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def bar(spent: int, held: int, limit: int, width: int = 30) -> str:
    """Return a bar of what is spent (#), held (=) and free (.).

    To scale, but what is not nothing has a mark of its own: a bar without '#' says
    that nothing was spent, one without '.' that nothing is free.
    """
    if limit <= 0:
        return "." * width
    spent = min(spent, limit)
    held = min(held, limit - spent)
    marks = _apportion((spent, held, limit - spent - held), width)
    return "".join(mark * count for mark, count in zip("#=.", marks, strict=True))


def _apportion(amounts: Sequence[int], width: int) -> list[int]:
    """Divide `width` marks by largest remainders, at least one where not nothing."""
    total = sum(amounts)
    marks = [max(width * amount // total, int(amount > 0)) for amount in amounts]
    places = range(len(amounts))
    while sum(marks) < width:
        marks[max(places, key=lambda i: width * amounts[i] - marks[i] * total)] += 1
    while sum(marks) > width:
        marks[max(places, key=lambda i: (marks[i], i))] -= 1
    return marks


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
