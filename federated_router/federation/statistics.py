"""A member's own counts of finished requests, and which round each of them is in.

Decides that a request is always in exactly one place: pending, frozen for one round,
or gone (published or discarded). Refuses to know clocks, encryption and who measured.
A member of rounds records here: a node what it served, a router what it saw fail.

What stands here is plain. It leaves the process only clipped, noised and encrypted, or
for the operator of this very daemon.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import (
    LATENCY_BOUNDS_MS,
    Cell,
    CellCounts,
    bucket_index,
    coarsen,
    require_bounds,
)

CELLS_MAX: Final = 1024
"""Models times regions that one member counts; requests of further ones are lost."""


class FailureCause(StrEnum):
    """Why a request failed; one that its client cancelled did not."""

    ENGINE = "engine"
    OUT_OF_MEMORY = "out-of-memory"
    DEADLINE = "deadline"
    NODE_LOST = "node-lost"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class Batch:
    """Plain counts over the bounds at which they were recorded."""

    latency_bounds_ms: tuple[float, ...]
    cells: Mapping[Cell, CellCounts] = field(repr=False)

    @property
    def requests(self) -> int:
        """How many requests are in it."""
        return sum(counts.requests for counts in self.cells.values())

    def over(self, bounds_ms: Sequence[float]) -> dict[Cell, CellCounts]:
        """Return the counts over a catalogue's bounds, exactly.

        Raises FieldInvalid for bounds at which nothing was recorded.
        """
        return {
            cell: coarsen(counts, fine_ms=self.latency_bounds_ms, coarse_ms=bounds_ms)
            for cell, counts in self.cells.items()
        }

    def to_bytes(self) -> bytes:
        """Return the batch for a vault that nobody else reads."""
        rows = [
            [cell.model, cell.region, list(counts.latency_counts), counts.failures]
            for cell, counts in sorted(self.cells.items())
        ]
        return json.dumps([list(self.latency_bounds_ms), rows]).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the batch that `to_bytes` wrote."""
        bounds, rows = json.loads(content)
        cells = {
            Cell(model, region): CellCounts(tuple(latency_counts), failures)
            for model, region, latency_counts, failures in rows
        }
        return cls(tuple(bounds), cells)


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the recorded requests are; `recorded` is the sum of the other four."""

    recorded: int
    pending: int
    frozen: int
    published: int
    discarded: int


class Statistics:
    """Counts finished requests; safe to call from any thread.

    Memory is bounded by `cells_max` cells, and one frozen batch per unfinished round.
    """

    def __init__(
        self,
        *,
        latency_bounds_ms: Sequence[float] = LATENCY_BOUNDS_MS,
        cells_max: int = CELLS_MAX,
    ) -> None:
        require_bounds(latency_bounds_ms)
        self._bounds_ms = tuple(latency_bounds_ms)
        self._cells_max = cells_max
        self._lock = threading.Lock()
        self._rows: dict[Cell, list[int]] = {}
        self._frozen: dict[str, Batch] = {}
        self._failures: Counter[FailureCause] = Counter()
        self._recorded = self._published = self._discarded = 0
        self._lost = 0

    @property
    def latency_bounds_ms(self) -> tuple[float, ...]:
        """The bounds at which latencies are recorded."""
        return self._bounds_ms

    def succeed(self, cell: Cell, *, latency_ms_per_token: float) -> None:
        """Count a request that was answered to its end."""
        if not latency_ms_per_token >= 0:
            raise FieldInvalid("A latency is at least 0 ms.", field="latency")
        self._count(cell, bucket_index(self._bounds_ms, latency_ms_per_token))

    def fail(self, cell: Cell, cause: FailureCause) -> None:
        """Count a request that ended without its answer."""
        with self._lock:
            self._failures[cause] += 1
        self._count(cell, len(self._bounds_ms) + 1)

    def pending(self) -> Batch:
        """Return what no round has taken yet."""
        with self._lock:
            return self._snapshot()

    def failures_by_cause(self) -> Mapping[FailureCause, int]:
        """Return the failures since the process began."""
        with self._lock:
            return dict(self._failures)

    def balance(self) -> Balance:
        """Return where every recorded request is."""
        with self._lock:
            return Balance(
                recorded=self._recorded,
                pending=sum(map(sum, self._rows.values())),
                frozen=sum(batch.requests for batch in self._frozen.values()),
                published=self._published,
                discarded=self._discarded,
            )

    @property
    def lost(self) -> int:
        """Requests of cells beyond `cells_max`, which were never recorded."""
        return self._lost

    def begin_contribution(self, round_name: str) -> Batch:
        """Move everything pending into the batch of `round_name`, and return it.

        A second call for the same round returns the same batch.
        """
        with self._lock:
            if round_name not in self._frozen:
                self._frozen[round_name] = self._snapshot()
                self._rows = {}
            return self._frozen[round_name]

    def resume(self, round_name: str, batch: Batch) -> None:
        """Take back a batch that an earlier process of this member froze."""
        with self._lock:
            if round_name not in self._frozen:
                self._frozen[round_name] = batch
                self._recorded += batch.requests

    def confirm(self, round_name: str) -> None:
        """Forget a batch whose round was published."""
        with self._lock:
            batch = self._frozen.pop(round_name, None)
            self._published += batch.requests if batch else 0

    def discard(self, round_name: str) -> None:
        """Forget a batch that nobody may see, and that may not be told again."""
        with self._lock:
            batch = self._frozen.pop(round_name, None)
            self._discarded += batch.requests if batch else 0

    def restore(self, round_name: str) -> None:
        """Make a batch pending again: its round ended before anything was opened."""
        with self._lock:
            batch = self._frozen.pop(round_name, None)
            if batch is None:
                return
            if batch.latency_bounds_ms != self._bounds_ms:
                self._discarded += batch.requests
                return
            for cell, counts in batch.cells.items():
                row = self._rows.setdefault(cell, [0] * (len(self._bounds_ms) + 2))
                for slot, count in enumerate((*counts.latency_counts, counts.failures)):
                    row[slot] += count

    def _count(self, cell: Cell, slot: int) -> None:
        with self._lock:
            row = self._rows.get(cell)
            if row is None:
                if len(self._rows) >= self._cells_max:
                    self._lost += 1
                    return
                row = self._rows[cell] = [0] * (len(self._bounds_ms) + 2)
            row[slot] += 1
            self._recorded += 1

    def _snapshot(self) -> Batch:
        cells = {
            cell: CellCounts(tuple(row[:-1]), row[-1])
            for cell, row in self._rows.items()
        }
        return Batch(self._bounds_ms, cells)
