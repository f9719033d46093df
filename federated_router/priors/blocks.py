"""The blocks of a vector: their slots, and how far one request moves each of them.

Decides for each block its columns, their bounds and their noise factors. Refuses to
know which blocks a round has, in what order, and what noise is added (`catalogue`).

A noise factor is a whole number: the noise on a slot has a standard deviation of
`factor` times the round's noise scale. They are chosen so that one request, whatever it
is and whatever was counted before, moves the block's slots by v with

    sum over slots of (v_slot / factor_slot)^2 <= 1,

so one request costs one unit in each block. Clipping to the bounds keeps that, because
min and max move no slot further apart.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isqrt
from typing import Any, Final, Generic, TypeVar

from federated_router.priors.contents import Contents

Key = TypeVar("Key", bound=Hashable)


class Block(StrEnum):
    """What a catalogue may hold; every one holds PERFORMANCE."""

    PERFORMANCE = "performance"
    TOKENS = "tokens"
    COST = "cost"
    ENERGY = "energy"
    WEIGHTS = "weights"
    PATTERNS = "patterns"
    CARBON = "carbon"
    BANDIT = "bandit"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Column:
    """One slot of a row: `low..high` bounds one member's contribution to it."""

    quantity: str
    low: int
    high: int
    factor: int


@dataclass(frozen=True, slots=True)
class Layout(Generic[Key]):
    """One block: a row of `columns` for each key, row after row.

    `row` reads a row of one member's or the federation's contents, without clipping.
    """

    block: Block
    keys: tuple[Key, ...]
    columns: tuple[Column, ...]
    row: Callable[[Contents, Key], Sequence[int]]

    @property
    def slots(self) -> int:
        """How many slots the block has."""
        return len(self.keys) * len(self.columns)

    def flatten(self, contents: Contents) -> list[int]:
        """Return the block's slots, unclipped."""
        return [value for key in self.keys for value in self.row(contents, key)]

    def rows(self, values: Sequence[int]) -> Mapping[Key, tuple[int, ...]]:
        """Return the block's slots by key."""
        width = len(self.columns)
        return {
            key: tuple(int(value) for value in values[at : at + width])
            for at, key in zip(range(0, len(values), width), self.keys, strict=True)
        }


AnyLayout = Layout[Any]

THE_FEDERATION: Final = "federation"
"""The one key of a block that has no axis."""


def uneven(most: int) -> tuple[int, int]:
    """Return factors for a slot that moves by 1 and one that moves by up to `most`.

    A quarter of the block's unit goes to the first: (1/2)^2 + (most/f)^2 <= 1 for the
    least whole f, so that the first has little noise and the second hardly more.
    """
    return 2, _root_up(4 * most**2, 3)


def half(squared: int) -> int:
    """Return the least whole f with squared / f^2 <= 1/2."""
    return _root_up(2 * squared, 1)


def _root_up(numerator: int, denominator: int) -> int:
    """Return the least whole f >= 1 with denominator * f^2 >= numerator, exactly."""
    quotient = -(-numerator // denominator)
    return max(1, isqrt(quotient - 1) + 1) if quotient else 1
