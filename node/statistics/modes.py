"""Whether the latencies of a cell have several modes, for this node's own operator.

Decides which latencies are kept, a uniform sample of bounded size (Vitter 1985,
algorithm R), and what the dip test (Hartigan and Hartigan 1985) says of them. With two
modes, say hits and misses of a cache, a median or a mean stands for no request that
anybody made. Each measure of latency is tested for itself: a cache shows in the time to
the first token, a second kind of hardware in the time of each further one. Refuses to
know rounds: none of this is ever summed or sent.
"""

import math
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import diptest
import numpy as np

from federated_router.federation.own_statistics import LatencyMeasure, LatencyShape
from federated_router.priors.contents import Cell

CELLS_MAX: Final = 256
"""Cells whose latencies are kept, for each measure; those of further ones are not."""

SAMPLES_MIN: Final = 50
"""Latencies below which the test finds too little to be worth showing."""

SIGNIFICANCE: Final = 0.01
"""Share of cells with one mode that are called multimodal by chance."""

_LEAST_MS: Final = 1e-3
_Key = tuple[Cell, LatencyMeasure]


@dataclass(slots=True)
class _Reservoir:
    """A sample of the logarithms of `seen` latencies."""

    logs: list[float]
    seen: int = 0


class LatencyModes:
    """Keeps latencies per cell and measure; safe to call from any thread."""

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
        self._reservoirs: dict[_Key, _Reservoir] = {}

    def add(self, cell: Cell, measure: LatencyMeasure, latency_ms: float) -> None:
        """Keep a latency, perhaps in the place of another."""
        value = math.log(max(latency_ms, _LEAST_MS))
        with self._lock:
            known = self._reservoirs.get((cell, measure))
            if known is None:
                if len(self._reservoirs) >= self._cells_max * len(LatencyMeasure):
                    return
                known = self._reservoirs[cell, measure] = _Reservoir([])
            known.seen += 1
            if len(known.logs) < self._samples_max:
                known.logs.append(value)
                return
            place = self._generator.randrange(known.seen)
            if place < self._samples_max:
                known.logs[place] = value

    def shapes(self) -> Sequence[LatencyShape]:
        """Return the test of every sample that is large enough; takes milliseconds."""
        with self._lock:
            samples = {
                key: np.array(kept.logs)
                for key, kept in self._reservoirs.items()
                if len(kept.logs) >= SAMPLES_MIN
            }
        return [
            shape_of(logs, cell=cell, measure=measure)
            for (cell, measure), logs in sorted(samples.items(), key=_key)
        ]


def shape_of(logs: np.ndarray, *, cell: Cell, measure: LatencyMeasure) -> LatencyShape:
    """Return a sample's percentiles, and its dip test under one mode.

    `logs` (n,) are natural logarithms of milliseconds.
    """
    statistic, p_value = diptest.diptest(logs)
    p50, p95, p99 = np.exp(np.quantile(logs, (0.5, 0.95, 0.99), method="inverted_cdf"))
    return LatencyShape(
        cell=cell,
        measure=measure,
        samples=len(logs),
        dip=float(statistic),
        p_value=float(p_value),
        multimodal=bool(p_value < SIGNIFICANCE),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
    )


def _key(item: tuple[_Key, np.ndarray]) -> _Key:
    return item[0]
