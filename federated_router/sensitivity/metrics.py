"""Prometheus figures of levels. Labels are names of this code, never of a request."""

from typing import Final

from prometheus_client import Counter

RAISED: Final = Counter(
    "router_requests_personal",
    "Requests in which personal data was found, by the first kind.",
    ("kind",),
)
