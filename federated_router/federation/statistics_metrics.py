"""What a member's statistics leave out, for its operator."""

from prometheus_client import Counter, Gauge

REQUESTS_CLIPPED = Counter(
    "federation_requests_clipped",
    "Requests not counted because their user had reached the limit, or has no key.",
)
REQUESTS_LOST = Counter(
    "federation_requests_lost",
    "Requests not counted because the member counts no further cells.",
)
REQUESTS_DISCARDED = Counter(
    "federation_requests_discarded",
    "Counted requests that no round may be told (again).",
)
REQUESTS_WITHHELD = Gauge(
    "federation_requests_withheld",
    "Requests that the last contribution left for a later one.",
)
