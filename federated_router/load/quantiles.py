"""Quantiles of latencies from logarithmic buckets. Pure.

A bucket reaches from one power of `RATIO` to the next, so that a quantile is within
2.5 % of the true one whatever the latencies are, and counts add up across slices and
nodes. Kept sparsely: a window holds as many buckets as latencies differ.
"""

import math
from collections.abc import Mapping
from typing import Final

RATIO: Final = 1.05
_LOG_RATIO: Final = math.log(RATIO)
LATENCY_MS_MIN: Final = 0.1
LATENCY_MS_MAX: Final = 3_600_000.0
"""What is shorter or longer counts as this."""


def bucket_of(latency_ms: float) -> int:
    """Return the bucket of a latency in milliseconds; NaN counts as the longest."""
    if not latency_ms <= LATENCY_MS_MAX:
        latency_ms = LATENCY_MS_MAX
    return math.floor(math.log(max(latency_ms, LATENCY_MS_MIN)) / _LOG_RATIO)


def quantile_ms(buckets: Mapping[int, int], share: float) -> float | None:
    """Return the latency that `share` of the counts do not exceed, None without any.

    The geometric middle of the bucket of the nearest rank; `share` in (0, 1].
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(1, math.ceil(share * total))
    reached = 0
    for bucket in sorted(buckets):
        reached += buckets[bucket]
        if reached >= rank:
            break
    return float(RATIO ** (bucket + 0.5))
