"""What is known of nodes or sites, one number each, in arrays.

Decides where each key's number stands, so that a decision reads those of a thousand
candidates at once. Refuses to know what the numbers mean. A key that nothing is known
of reads as 0: place 0 of every array is nobody's.
"""

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterator,
    Mapping,
    MutableMapping,
)
from itertools import repeat
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value", int, float)
ROWS_MAX: Final = 256
"""How many tuples of keys a numbering remembers the places of."""

_BEGIN: Final = 64


class Numbering(Generic[Key]):
    """A number for each key, from 1; numbers of keys that left are used again."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._free: list[int] = []
        self._changes = 0
        self._rows: dict[int, tuple[tuple[Key, ...], int, Rows]] = {}

    def __len__(self) -> int:
        """Return how many keys have a number."""
        return len(self._numbers)

    def __iter__(self) -> Iterator[Key]:
        """Yield every key that has a number."""
        return iter(self._numbers)

    @property
    def highest(self) -> int:
        """Return the highest number that was ever given."""
        return len(self._numbers) + len(self._free)

    def number(self, key: Key) -> int:
        """Return a key's number; 0 where it has none."""
        return self._numbers.get(key, 0)

    def enter(self, key: Key) -> int:
        """Return a key's number, a new one where it had none."""
        number = self._numbers.get(key)
        if number is None:
            number = self._free.pop() if self._free else self.highest + 1
            self._numbers[key] = number
            self._changes += 1
        return number

    def leave(self, key: Key) -> None:
        """Let another key have this one's number, if it has one."""
        number = self._numbers.pop(key, None)
        if number is not None:
            self._free.append(number)
            self._changes += 1

    def rows(self, keys: tuple[Key, ...]) -> Rows:
        """Return the numbers of keys, new ones where they had none.

        They are remembered by tuple while no number changes, as between decisions among
        the same candidates.
        """
        known = self._rows.get(id(keys))
        if known is not None and known[1] == self._changes:
            return known[2]
        rows = self._looked_up(keys)
        if not rows.all():
            for key in keys:
                self.enter(key)
            rows = self._looked_up(keys)
        if len(self._rows) >= ROWS_MAX:
            self._rows.clear()
        # The tuple is kept beside its rows: no other one can have its identity.
        self._rows[id(keys)] = (keys, self._changes, rows)
        return rows

    def _looked_up(self, keys: tuple[Key, ...]) -> Rows:
        found = map(self._numbers.get, keys, repeat(0))
        return np.fromiter(found, np.intp, len(keys))


class Column(MutableMapping[Key, Value]):
    """A number for each key; keys whose number is 0 are absent.

    They are numbers of `kind`; whole ones are exact up to 2**53.
    """

    def __init__(self, kind: Callable[[float], Value]) -> None:
        self._kind: Callable[[float], Value] = kind
        self._numbering: Numbering[Key] = Numbering()
        self._values: Floats = np.zeros(_BEGIN)

    @property
    def places(self) -> int:
        """Return how many keys have a place, with those whose number is 0."""
        return len(self._numbering)

    def of(self, keys: tuple[Key, ...]) -> Floats:
        """Return the numbers of keys."""
        rows = self._numbering.rows(keys)
        self._make_room()
        return self._values[rows]

    def __getitem__(self, key: Key) -> Value:
        """Return a key's number; 0 where there is none."""
        return self._kind(float(self._values[self._numbering.number(key)]))

    def __setitem__(self, key: Key, value: Value) -> None:
        """Set a key's number."""
        number = self._enter(key)
        self._values[number] = value

    def __delitem__(self, key: Key) -> None:
        """Forget a key and its place."""
        self._values[self._numbering.number(key)] = 0.0
        self._numbering.leave(key)

    def __contains__(self, key: object) -> bool:
        """Return whether a key's number is another than 0."""
        return any(one == key for one in self)

    def __iter__(self) -> Iterator[Key]:
        """Yield every key whose number is another than 0."""
        return (one for one in self._numbering if self[one])

    def __len__(self) -> int:
        """Return how many keys have another number than 0."""
        return sum(1 for _ in self)

    def add(self, key: Key, amount: Value) -> None:
        """Add to a key's number."""
        number = self._numbering.number(key) or self._enter(key)
        self._values[number] += amount

    def add_all(self, keys: tuple[Key, ...], amounts: Floats, chosen: Rows) -> None:
        """Add to the numbers of those of the keys that stand at the places chosen."""
        rows = self._numbering.rows(keys)
        self._make_room()
        self._values[rows[chosen]] += amounts

    def scale(self, factor: float) -> None:
        """Multiply every number."""
        self._values *= factor

    def keep_only(self, keys: Collection[Key], *, used: bool = False) -> None:
        """Forget all other keys; with `used`, but for those whose number is not 0."""
        for key in [one for one in self._numbering if one not in keys]:
            if not (used and self[key]):
                del self[key]

    def _enter(self, key: Key) -> int:
        number = self._numbering.enter(key)
        self._make_room()
        return number

    def _make_room(self) -> None:
        if self._numbering.highest >= len(self._values):
            self._values = grown(self._values, self._numbering.highest)


def grown(values: Floats, number: int) -> Floats:
    """Return arrays with room for a number, twice as large along the last axis."""
    room = np.zeros((*values.shape[:-1], max(2 * values.shape[-1], number + 1)))
    room[..., : values.shape[-1]] = values
    return room


def column_of(values: Mapping[Key, Value], keys: tuple[Key, ...]) -> Floats:
    """Return the numbers of keys, 0 where a mapping has none."""
    if isinstance(values, Column):
        return values.of(keys)
    if not values:
        return np.zeros(len(keys))
    return np.fromiter((values.get(key, 0) for key in keys), np.float64, len(keys))
