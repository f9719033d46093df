"""The layout of a contribution: which slot counts what.

Decides which blocks a round sums, their order, and how counts become integers within
bounds. Refuses to know encryption, noise and who contributes.

The blocks stand in the order of `Block`, whatever order they are named in; `blocks`
says what each holds and how far one request moves it. The count of members that travels
with every vector is `crypto.quantise`'s; here it only takes a place.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from federated_router.kit.errors import FieldInvalid
from federated_router.priors import limits
from federated_router.priors.axes import Axes
from federated_router.priors.blocks import AnyLayout, Block, Column
from federated_router.priors.contents import Contents
from federated_router.priors.decoding import contents_of
from federated_router.priors.layouts import layouts_of, weights_of


@dataclass(frozen=True, slots=True)
class Encoding:
    """Counts as slots, without the member count, and what did not get in.

    `left_out` requests belong to cells outside the catalogue; `clipped` ones exceed
    what one member may put into one slot of the performance block.
    """

    values: tuple[int, ...]
    left_out: int
    clipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue(Axes):
    """Axes with their slots.

    Raises FieldInvalid for a layout that would not mean one thing.
    """

    def __post_init__(self) -> None:
        """Refuse empty or repeated axes, unordered bounds and oversized layouts."""
        limits.require(self)

    @property
    def sha256(self) -> bytes:
        """Return a digest of the layout, for all that must be bound to one layout."""
        described = json.dumps(astuple(self))
        return hashlib.sha256(described.encode()).digest()

    @property
    def layouts(self) -> tuple[AnyLayout, ...]:
        """The blocks, in slot order."""
        return _layouts(self)

    @property
    def spans(self) -> Mapping[Block, slice]:
        """Where each block stands among the published slots."""
        ends: dict[Block, slice] = {}
        at = 0
        for layout in self.layouts:
            ends[layout.block] = slice(at, at + layout.slots)
            at += layout.slots
        return ends

    @property
    def columns(self) -> tuple[Column, ...]:
        """What each published slot is."""
        return _columns(self)

    @property
    def quantities(self) -> Mapping[str, tuple[Block, int]]:
        """The block and the noise factor of each quantity, `Column.quantity`."""
        return _quantities(self)

    def slot_of(self, quantity: str) -> int:
        """Return the first published slot of a quantity; KeyError without its block."""
        for slot, column in enumerate(self.columns):
            if column.quantity == quantity:
                return slot
        raise KeyError(quantity)

    @property
    def noise_factors(self) -> tuple[int, ...]:
        """The noise factor of each published slot, at least 1."""
        return tuple(column.factor for column in self.columns)

    @property
    def slot_bounds(self) -> tuple[tuple[int, int], ...]:
        """The (low, high) of one member's contribution to each published slot."""
        return tuple((column.low, column.high) for column in self.columns)

    @property
    def sensitivity_squared(self) -> int:
        """Squared L2 distance that one protected unit moves the sum by.

        In units of each slot's noise factor. A unit is one user at one member, or one
        request where `requests_per_user_max` is 0. Each of k requests moves each block
        by at most 1; by 1 as well the counts that the test of the minimum sample size
        looks at (`sample_size`), and those from which a member makes its own
        predictions for the holdout block.
        """
        tested = 1 if self.samples_min else 0
        predicted = 1 if Block.HOLDOUT in self.blocks else 0
        units = len(self.blocks) + tested + predicted
        return units * max(self.requests_per_user_max, 1) ** 2

    @property
    def cell_slots(self) -> int:
        """Slots of a performance cell: buckets, the one above the last, failures."""
        return len(self.latency_bounds_ms) + 2

    @property
    def statistic_slots(self) -> int:
        """How many slots are published."""
        return sum(layout.slots for layout in self.layouts)

    @property
    def vector_length(self) -> int:
        """Length of a contribution, the count of members included."""
        return self.statistic_slots + 1

    def encode(self, contents: Contents) -> Encoding:
        """Return one member's published slots, each within its bounds.

        Raises FieldInvalid for counts over other buckets, features or below zero.
        """
        limits.require_counts(self, contents)
        plain = replace(
            contents,
            weights={
                cell: weights_of(counts)
                for cell, counts in contents.performance.items()
            },
        )
        values = self.flatten(plain)
        clipped = [
            min(max(value, column.low), column.high)
            for value, column in zip(values, self.columns, strict=True)
        ]
        counted = self.spans[Block.PERFORMANCE]
        total = sum(counts.requests for counts in contents.performance.values())
        return Encoding(
            values=tuple(clipped),
            left_out=total - sum(values[counted]),
            clipped=sum(values[counted]) - sum(clipped[counted]),
        )

    def flatten(self, contents: Contents) -> tuple[int, ...]:
        """Return the published slots of contents as they are, without clipping."""
        return tuple(
            value for layout in self.layouts for value in layout.flatten(contents)
        )

    def decode(self, sums: Sequence[int]) -> Contents:
        """Return what published slots count; every key of every block is there.

        `sums` is the opened sum without its member count. Raises FieldInvalid for
        another length.
        """
        if len(sums) != self.statistic_slots:
            raise FieldInvalid(
                f"This catalogue has {self.statistic_slots} published slots.",
                field="sums",
            )
        spans = self.spans
        return contents_of(
            {
                layout.block: layout.rows(sums[spans[layout.block]])
                for layout in self.layouts
            },
            triangle=self.triangle,
        )


@lru_cache(maxsize=32)
def _layouts(catalogue: Catalogue) -> tuple[AnyLayout, ...]:
    """Return the layouts, built once: they are asked for with every sum."""
    return layouts_of(catalogue)


@lru_cache(maxsize=32)
def _quantities(catalogue: Catalogue) -> Mapping[str, tuple[Block, int]]:
    return MappingProxyType(
        {
            column.quantity: (layout.block, column.factor)
            for layout in catalogue.layouts
            for column in layout.columns
        }
    )


@lru_cache(maxsize=32)
def _columns(catalogue: Catalogue) -> tuple[Column, ...]:
    return tuple(
        column
        for layout in catalogue.layouts
        for _ in layout.keys
        for column in layout.columns
    )
