"""Whether the latencies of a cell have several modes, for this node's own operator.

Decides which latencies are kept, a uniform sample of bounded size (Vitter 1985,
algorithm R), and what the dip test (Hartigan and Hartigan 1985) says of them. With two
modes, say hits and misses of a cache, a median or a mean stands for no request that
anybody made. Refuses to know rounds: none of this is ever summed or sent.
"""

import math
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import diptest
import numpy as np

from federated_router.federation.own_statistics import LatencyShape
from federated_router.priors.contents import Cell

CELLS_MAX: Final = 256
"""Cells whose latencies are kept; latencies of further ones are not."""

SAMPLES_MIN: Final = 50
"""Latencies below which the test finds too little to be worth showing."""

SIGNIFICANCE: Final = 0.01
"""Share of cells with one mode that are called multimodal by chance."""

_LEAST_MS: Final = 1e-3


@dataclass(slots=True)
class _Reservoir:
    """A sample of the logarithms of `seen` latencies."""

    logs: list[float]
    seen: int = 0


class LatencyModes:
    """Keeps latencies per cell and tests them; safe to call from any thread."""

    def __init__(
        self,
        *,
        samples_max: int,
        cells_max: int = CELLS_MAX,
        generator: random.Random | None = None,
    ) -> None:
        self._samples_max = samples_max
        self._cells_max = cells_max
        # A sample, not a secret.
        self._generator = generator or random.Random()  # noqa: S311
        self._lock = threading.Lock()
        self._reservoirs: dict[Cell, _Reservoir] = {}

    def add(self, cell: Cell, latency_ms_per_token: float) -> None:
        """Keep a latency, perhaps in the place of another."""
        value = math.log(max(latency_ms_per_token, _LEAST_MS))
        with self._lock:
            known = self._reservoirs.get(cell)
            if known is None:
                if len(self._reservoirs) >= self._cells_max:
                    return
                known = self._reservoirs[cell] = _Reservoir([])
            known.seen += 1
            if len(known.logs) < self._samples_max:
                known.logs.append(value)
                return
            place = self._generator.randrange(known.seen)
            if place < self._samples_max:
                known.logs[place] = value

    def shapes(self) -> Mapping[Cell, LatencyShape]:
        """Return the test of each cell with enough latencies; takes milliseconds."""
        with self._lock:
            samples = {
                cell: np.array(kept.logs)
                for cell, kept in self._reservoirs.items()
                if len(kept.logs) >= SAMPLES_MIN
            }
        return {cell: shape_of(logs) for cell, logs in samples.items()}


def shape_of(logs: np.ndarray) -> LatencyShape:
    """Return Hartigan's dip statistic and its p-value under one mode."""
    statistic, p_value = diptest.diptest(logs)
    return LatencyShape(
        samples=len(logs),
        dip=float(statistic),
        p_value=float(p_value),
        multimodal=bool(p_value < SIGNIFICANCE),
    )
