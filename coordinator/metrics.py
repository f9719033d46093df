"""What Prometheus hears from the coordinator, by the names that users know."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from federated_router.kit.errors import (
    CiphertextMalformed,
    InvalidInput,
    RosterMismatch,
    SignatureInvalid,
)
from federated_router.kit.metrics import FAILED_AUTHENTICATIONS

NODES_ACTIVE = Gauge(
    "federation_nodes_active", "Members that take part in the newest round."
)
ROUND_DURATION = Histogram(
    "federation_round_duration_seconds",
    "Time from the opening to the end of a round.",
    ["state"],
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800),
)
PARTICIPATION = Gauge(
    "federation_participation_rate",
    "Contributions per joined member of the newest round that was summed.",
)
ROUNDS_COMPLETED = Counter(
    "federated_rounds_completed", "Rounds that ended, by how.", ["state"]
)
ENCRYPTION_ERRORS = Counter(
    "federation_encryption_errors", "Ciphertexts or sums that were refused."
)
MALFORMED_MESSAGES = Counter(
    "federation_malformed_messages",
    "Messages of members that were refused.",
    ["method"],
)


@contextmanager
def counted(method: str) -> Iterator[None]:
    """Count the refusals of one method, and let them pass."""
    try:
        yield
    except SignatureInvalid:
        FAILED_AUTHENTICATIONS.labels(method).inc()
        raise
    except CiphertextMalformed:
        ENCRYPTION_ERRORS.inc()
        MALFORMED_MESSAGES.labels(method).inc()
        raise
    except (InvalidInput, RosterMismatch):
        MALFORMED_MESSAGES.labels(method).inc()
        raise
