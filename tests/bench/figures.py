"""Figures of a benchmark: recorded by name, shown to people, merged into one file.

Decides the form of `bench.json`. Refuses to know what is measured, and judges nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and its unit."""

    value: float
    unit: str


@dataclass(slots=True)
class Sheet:
    """The figures of one run, in the order in which they were recorded."""

    _figures: dict[str, Figure] = field(default_factory=dict)

    def record(self, name: str, value: float, unit: str) -> None:
        """Keep a figure, rounded to what a measurement can mean."""
        self._figures[name] = Figure(float(f"{value:.{DIGITS}g}"), unit)

    def __iter__(self) -> Iterator[tuple[str, Figure]]:
        return iter(self._figures.items())

    def show(self, console: Console) -> None:
        """Print a table for people."""
        table = Table("figure", "value", "unit", box=None, pad_edge=False)
        table.columns[1].justify = "right"
        for name, figure in self:
            table.add_row(name, f"{figure.value:,.10g}", figure.unit)
        console.print(table)

    def merge_into(self, path: Path) -> None:
        """Write the figures into the file, keeping those of other benchmarks."""
        known = _read(path) | {name: asdict(figure) for name, figure in self}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        content = json.dumps({"figures": known}, indent=2, sort_keys=True)
        partial.write_text(content + "\n", encoding="utf-8")
        partial.replace(path)


def _read(path: Path) -> dict[str, Mapping[str, object]]:
    if not path.exists():
        return {}
    known: dict[str, Mapping[str, object]] = json.loads(path.read_text("utf-8"))[
        "figures"
    ]
    return known
