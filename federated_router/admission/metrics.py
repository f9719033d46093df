"""What admission shows of itself: by priority, never by tenant."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from federated_router.admission.ask import Priority

WAITING: Final = Gauge(
    "router_requests_waiting", "Requests that wait to be let in.", ["priority"]
)
RUNNING: Final = Gauge(
    "router_requests_running", "Requests that were let in and run.", ["priority"]
)
SHED: Final = Counter(
    "router_requests_shed",
    "Requests refused for want of room: drawn, queue full, or made room for others.",
    ["priority"],
)
RATE_LIMITED: Final = Counter(
    "router_requests_rate_limited",
    "Requests refused for their tenant's rate.",
    ["priority"],
)
QUEUE_TIME: Final = Histogram(
    "router_queue_seconds",
    "Time from a request's arrival until it was let in.",
    ["priority"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30),
)
for _priority in Priority:
    for _metric in (WAITING, RUNNING, SHED, RATE_LIMITED, QUEUE_TIME):
        _metric.labels(_priority.label)
