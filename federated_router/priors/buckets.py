"""Latency buckets: which latency falls where, and how fine ones merge into coarse.

Decides the default bounds and that a bound belongs to the bucket it closes. Refuses to
know models, members and noise.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.contents import CellCounts

BOUNDS_MAX: Final = 256
"""Bounds of one layout, at most."""

BOUND_MS_MIN: Final = 1e-6
BOUND_MS_MAX: Final = 1e9
"""Bounds beyond are no latencies; readers take logarithms and ratios of them."""

_LEAST_MS = 0.25
_STEPS = 24

LATENCY_BOUNDS_MS: Final = tuple(
    round(_LEAST_MS * 2 ** (step / 2), 6) for step in range(_STEPS + 1)
)
"""Default upper bounds in milliseconds per output token: 0.25 to 1024, factor 2^0.5."""


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
    return replace(counts, latency_counts=tuple(merged))


def require_bounds(bounds_ms: Sequence[float]) -> None:
    """Refuse bounds that are not strictly rising from BOUND_MS_MIN to BOUND_MS_MAX."""
    rising = all(
        low < high for low, high in zip((0.0, *bounds_ms), bounds_ms, strict=False)
    )
    within = bounds_ms and BOUND_MS_MIN <= bounds_ms[0] <= bounds_ms[-1] <= BOUND_MS_MAX
    if not (rising and within):
        raise FieldInvalid(
            f"Latency bounds are strictly rising, from {BOUND_MS_MIN:g} to "
            f"{BOUND_MS_MAX:g} ms.",
            field="latency_bounds_ms",
        )
    if len(bounds_ms) > BOUNDS_MAX:
        raise FieldInvalid(
            f"A catalogue has at most {BOUNDS_MAX} latency bounds.",
            field="latency_bounds_ms",
        )
