"""The layout of a contribution: which slot counts what.

Decides the order of slots, the latency buckets and how counts become integers within
bounds. Refuses to know encryption, noise and who contributes.

For each model and region in catalogue order stands one cell: the successful requests
by latency bucket, then the failed ones. One request moves one slot by one, so the
squared L2 sensitivity of a sum is 1 per request. The count of members that travels
with every vector is `crypto.quantise`'s; here it only takes a place.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federated_router.kit.errors import FieldInvalid

SENSITIVITY_SQUARED = 1
"""Squared L2 distance that one request can move a sum by."""

CELLS_MAX = 4096
BOUNDS_MAX = 256
SLOT_MAX_LIMIT = 1 << 24

_LATENCY_LEAST_MS = 0.25
_LATENCY_STEPS = 24

LATENCY_BOUNDS_MS = tuple(
    round(_LATENCY_LEAST_MS * 2 ** (step / 2), 6) for step in range(_LATENCY_STEPS + 1)
)
"""Default upper bounds in milliseconds per output token: 0.25 to 1024, factor 2^0.5."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One model in one region; `model` is `models/NAME`."""

    model: str
    region: str


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Requests of one cell; noise may have made a count negative.

    `latency_counts` has one entry per bucket, the last one above the last bound.
    """

    latency_counts: tuple[int, ...]
    failures: int

    @property
    def successes(self) -> int:
        """How many requests succeeded."""
        return sum(self.latency_counts)

    @property
    def requests(self) -> int:
        """How many requests ended, well or not."""
        return self.successes + self.failures


@dataclass(frozen=True, slots=True)
class Encoding:
    """Counts as slots, without the member count, and what did not get in.

    `left_out` requests belong to cells outside the catalogue; `clipped` ones exceed
    what one member may put into one slot.
    """

    values: tuple[int, ...]
    left_out: int
    clipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What a round counts. `slot_max` bounds one member's count in one slot.

    Raises FieldInvalid for a layout that would not mean one thing.
    """

    version: int
    models: tuple[str, ...]
    regions: tuple[str, ...]
    latency_bounds_ms: tuple[float, ...] = LATENCY_BOUNDS_MS
    slot_max: int

    def __post_init__(self) -> None:
        """Refuse empty or repeated axes, unordered bounds and oversized layouts."""
        if self.version < 1:
            raise FieldInvalid("Layout versions begin at 1.", field="version")
        _require_axis(self.models, field="models")
        _require_axis(self.regions, field="regions")
        if len(self.models) * len(self.regions) > CELLS_MAX:
            raise FieldInvalid(
                f"A catalogue holds at most {CELLS_MAX} cells.", field="models"
            )
        require_bounds(self.latency_bounds_ms)
        if not 1 <= self.slot_max <= SLOT_MAX_LIMIT:
            raise FieldInvalid(
                f"slot_max lies between 1 and {SLOT_MAX_LIMIT}.", field="slot_max"
            )

    @property
    def sha256(self) -> bytes:
        """Return a digest of the layout, for all that must be bound to one layout."""
        described = (
            self.version,
            self.models,
            self.regions,
            tuple(bound.hex() for bound in self.latency_bounds_ms),
            self.slot_max,
        )
        return hashlib.sha256(json.dumps(described).encode()).digest()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, in slot order."""
        return tuple(
            Cell(model, region) for model in self.models for region in self.regions
        )

    @property
    def cell_slots(self) -> int:
        """Slots of one cell: the buckets, the one above the last bound, failures."""
        return len(self.latency_bounds_ms) + 2

    @property
    def statistic_slots(self) -> int:
        """How many slots are published."""
        return len(self.models) * len(self.regions) * self.cell_slots

    @property
    def vector_length(self) -> int:
        """Length of a contribution, the count of members included."""
        return self.statistic_slots + 1

    def latency_slot(self, cell: Cell, latency_ms_per_token: float) -> int:
        """Return the slot that a success of this speed moves."""
        bucket = bucket_index(self.latency_bounds_ms, latency_ms_per_token)
        return self._cell_start(cell) + bucket

    def failure_slot(self, cell: Cell) -> int:
        """Return the slot that a failed request moves."""
        return self._cell_start(cell) + self.cell_slots - 1

    def encode(self, statistics: Mapping[Cell, CellCounts]) -> Encoding:
        """Return the published slots, each within [0, slot_max].

        Raises FieldInvalid for counts over other buckets or below zero.
        """
        values: list[int] = []
        for cell in self.cells:
            counts = statistics.get(cell)
            values += [0] * self.cell_slots if counts is None else self._row(counts)
        clipped = [min(value, self.slot_max) for value in values]
        total = sum(counts.requests for counts in statistics.values())
        return Encoding(
            values=tuple(clipped),
            left_out=total - sum(values),
            clipped=sum(values) - sum(clipped),
        )

    def decode(self, sums: Sequence[int]) -> dict[Cell, CellCounts]:
        """Return what published slots count, by cell in slot order.

        `sums` is the opened sum without its member count. Raises FieldInvalid for
        another length.
        """
        if len(sums) != self.statistic_slots:
            raise FieldInvalid(
                f"This catalogue has {self.statistic_slots} published slots.",
                field="sums",
            )
        width = self.cell_slots
        rows = (sums[start : start + width] for start in range(0, len(sums), width))
        return {
            cell: CellCounts(tuple(int(count) for count in row[:-1]), int(row[-1]))
            for cell, row in zip(self.cells, rows, strict=True)
        }

    def _cell_start(self, cell: Cell) -> int:
        try:
            model = self.models.index(cell.model)
            region = self.regions.index(cell.region)
        except ValueError:
            raise FieldInvalid(
                "The catalogue has no cell for this model and region.", field="cell"
            ) from None
        return (model * len(self.regions) + region) * self.cell_slots

    def _row(self, counts: CellCounts) -> list[int]:
        row = [*counts.latency_counts, counts.failures]
        if len(row) != self.cell_slots or min(row) < 0:
            raise FieldInvalid(
                "Statistics are counts of at least 0 over the catalogue's buckets.",
                field="statistics",
            )
        return row


def bucket_index(bounds_ms: Sequence[float], latency_ms: float) -> int:
    """Return the bucket of a latency; a bound belongs to the bucket it closes."""
    return bisect_left(bounds_ms, latency_ms)


def coarsen(
    counts: CellCounts, *, fine_ms: Sequence[float], coarse_ms: Sequence[float]
) -> CellCounts:
    """Return `counts` over fewer buckets, exactly.

    Raises FieldInvalid unless every coarse bound is one of the fine bounds: then a
    fine bucket would straddle two coarse ones.
    """
    if not set(coarse_ms) <= set(fine_ms):
        raise FieldInvalid(
            "Statistics can only be given over bounds at which they were recorded.",
            field="latency_bounds_ms",
        )
    merged = [0] * (len(coarse_ms) + 1)
    uppers = [*fine_ms, float("inf")]
    for upper, count in zip(uppers, counts.latency_counts, strict=True):
        merged[bucket_index(coarse_ms, upper)] += count
    return CellCounts(tuple(merged), counts.failures)


def require_bounds(bounds_ms: Sequence[float]) -> None:
    """Refuse latency bounds that are not finite, positive and strictly rising."""
    rising = all(
        low < high for low, high in zip((0.0, *bounds_ms), bounds_ms, strict=False)
    )
    if not rising or not bounds_ms or bounds_ms[-1] == float("inf"):
        raise FieldInvalid(
            "Latency bounds are positive, finite and strictly rising.",
            field="latency_bounds_ms",
        )
    if len(bounds_ms) > BOUNDS_MAX:
        raise FieldInvalid(
            f"A catalogue has at most {BOUNDS_MAX} latency bounds.",
            field="latency_bounds_ms",
        )


def _require_axis(names: Sequence[str], *, field: str) -> None:
    if not names or len(set(names)) != len(names) or not all(names):
        raise FieldInvalid(
            "A catalogue names at least one, each once, none empty.", field=field
        )
