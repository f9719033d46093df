"""What a router's cache shows to Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge

HITS: Final = Counter(
    "federated_router_cache_hits",
    "Public requests answered from the cache, by tier.",
    ["tier"],
)
MISSES: Final = Counter(
    "federated_router_cache_misses",
    "Public requests that could have been answered from the cache, and were not.",
)
BYTES: Final = Gauge(
    "federated_router_cache_bytes",
    "What the stored answers of a tier count against its limit.",
    ["tier"],
)
FAILURES: Final = Counter(
    "federated_router_cache_failures",
    "Look-ups and writes that a tier did not do, by cause.",
    ["tier", "cause"],
)
