"""What a router may believe after reading noised counts.

Decides how counts become a success ratio, latencies and a confidence, and when they
say nothing. Refuses to know where the counts came from and what is done with the
answer. Everything here is post-processing and costs no privacy.

Latencies come from counts made consistent: a bucket that noise alone could fill is
empty, what remains is shifted by one constant and cut at zero so that it adds up to
the noised total (norm-sub, Wang et al. 2020). Where most requests hide in such small
buckets, nothing is emptied and only the median is given.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from federated_router.priors.contents import CellCounts

SAMPLES_MIN: Final = 100
"""Noised requests below which a cell says nothing."""

CONFIDENT_SAMPLES: Final = 1000
"""Noised requests from which on a cell has full weight."""

NEUTRAL_SUCCESS_RATIO: Final = 0.9
"""What is believed of a cell that says nothing."""

_SIGMAS: Final = 3.0
_PSEUDO_COUNT_MIN: Final = 10.0
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Performance:
    """What the counts of one cell say; `weight` in [0, 1] is how far to trust it.

    Latencies are in milliseconds per output token. A latency is None where the counts
    cannot be told from noise; then, for the median, `weight` is 0 as well.
    """

    sample_count: int
    success_ratio: float
    latency_ms_p50: float | None
    latency_ms_p95: float | None
    latency_ms_p99: float | None
    weight: float


@dataclass(frozen=True, slots=True)
class _Histogram:
    """Counts of at least 0 over buckets; `thinned` if small ones were emptied."""

    counts: tuple[float, ...]
    thinned: bool


def read_performance(
    counts: CellCounts,
    *,
    bounds_ms: Sequence[float],
    noise_standard_deviation: float,
    samples_min: int = SAMPLES_MIN,
) -> Performance:
    """Return what one cell's noised counts say.

    `noise_standard_deviation` is that of each count.
    """
    slots = len(counts.latency_counts) + 1
    total_noise = noise_standard_deviation * math.sqrt(slots)
    samples = max(0, counts.requests)
    if samples < max(samples_min, _SIGMAS * total_noise, 1):
        return Performance(samples, NEUTRAL_SUCCESS_RATIO, None, None, None, 0.0)
    successes = float(max(0, counts.successes))
    histogram = _consistent(counts.latency_counts, successes, noise_standard_deviation)

    def latency(share: float) -> float | None:
        tail = (1.0 - share) * successes
        readable = share == _HALF or (
            histogram.thinned and tail >= _SIGMAS * noise_standard_deviation
        )
        return quantile(histogram.counts, bounds_ms, share) if readable else None

    return Performance(
        sample_count=samples,
        success_ratio=_success_ratio(counts, noise=total_noise),
        latency_ms_p50=latency(_HALF),
        latency_ms_p95=latency(0.95),
        latency_ms_p99=latency(0.99),
        weight=min(samples / CONFIDENT_SAMPLES, 1.0),
    )


def quantile(
    counts: Sequence[float], bounds_ms: Sequence[float], share: float
) -> float | None:
    """Return the latency that `share` of the requests stay within.

    Inside a bucket the logarithm of latency is interpolated; the bucket above the last
    bound gives that bound. None without requests.
    """
    wanted = share * sum(counts)
    if wanted <= 0:
        return None
    before = 0.0
    for count, (low, high) in zip(counts, bucket_edges(bounds_ms), strict=True):
        if count > 0 and before + count >= wanted:
            return low * math.exp(math.log(high / low) * (wanted - before) / count)
        before += count
    return bounds_ms[-1]


def bucket_edges(bounds_ms: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield each bucket's edges; the first begins at half its bound, the last ends."""
    lows = (bounds_ms[0] / 2, *bounds_ms)
    highs = (*bounds_ms, bounds_ms[-1])
    return zip(lows, highs, strict=True)


def _success_ratio(counts: CellCounts, *, noise: float) -> float:
    """Return the ratio shrunk towards the neutral one, more so under more noise."""
    pseudo = max(_PSEUDO_COUNT_MIN, noise)
    failures = min(max(counts.failures, 0), counts.requests)
    failed = failures + pseudo * (1.0 - NEUTRAL_SUCCESS_RATIO)
    return 1.0 - failed / (counts.requests + pseudo)


def _consistent(
    noised: Sequence[int], total: float, noise_standard_deviation: float
) -> _Histogram:
    """Return counts of at least 0 that add up to `total`."""
    threshold = _SIGMAS * noise_standard_deviation
    kept = [float(count) if count > threshold else 0.0 for count in noised]
    if sum(kept) >= _HALF * total:
        seen = [index for index, count in enumerate(kept) if count]
        fitted = _norm_sub([kept[index] for index in seen], total)
        for index, count in zip(seen, fitted, strict=True):
            kept[index] = count
        return _Histogram(tuple(kept), thinned=True)
    fitted = _norm_sub([float(count) for count in noised], total)
    return _Histogram(tuple(fitted), thinned=False)


def _norm_sub(counts: Sequence[float], total: float) -> list[float]:
    """Return max(count - d, 0) for the d with which they add up to `total`.

    The Euclidean projection onto the scaled simplex.
    """
    falling = sorted(counts, reverse=True)
    shift = 0.0
    for size, partial in enumerate(accumulate(falling), start=1):
        candidate = (partial - total) / size
        if falling[size - 1] > candidate:
            shift = candidate
    return [max(count - shift, 0.0) for count in counts]
