"""Everything that the demo printed, as one JSON file; dots in names are nesting."""

import json
from pathlib import Path

Figure = int | float | str


class NotShown(Exception):
    """Something that the demo claims did not happen; the message says what."""


def claim(*, that: object, otherwise: str) -> None:
    """Go on if the claim holds; raise NotShown with the reason if not."""
    if not that:
        raise NotShown(otherwise)


class Figures:
    """Collects figures by dotted name."""

    def __init__(self) -> None:
        self._values: dict[str, Figure] = {}

    def record(self, name: str, value: Figure) -> None:
        """Keep a figure; a later one of the same name replaces it."""
        self._values[name] = value

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        self._values[name] = int(self._values.get(name, 0)) + amount

    def __getitem__(self, name: str) -> Figure:
        return self._values[name]

    def write(self, path: Path) -> None:
        """Write the nested figures."""
        nested: dict[str, object] = {}
        for name, value in sorted(self._values.items()):
            *folders, last = name.split(".")
            place = nested
            for folder in folders:
                inner = place.setdefault(folder, {})
                if not isinstance(inner, dict):
                    raise TypeError(f"'{name}' lies below a figure.")
                place = inner
            place[last] = value
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(nested, indent=2) + "\n", encoding="utf-8")
