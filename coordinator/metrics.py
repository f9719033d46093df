"""What Prometheus hears from the coordinator, by the names that users know."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from coordinator.validation.report import RoundReport
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
PRIOR_STABILITY = Gauge(
    "federation_prior_stability",
    "1 less the mean change of the published shares in the newest round.",
)
MODEL_DIVERSITY = Gauge(
    "federation_model_diversity",
    "Normalised entropy of the requests over the models in the newest round.",
)
CONVERGENCE = Gauge(
    "federation_convergence_rate",
    "Part of the compared requests in cells that did not change in the newest round.",
)


def judged(report: RoundReport) -> None:
    """Show what was found in the sums of the newest round."""
    PRIOR_STABILITY.set(report.stability)
    MODEL_DIVERSITY.set(report.diversity)
    CONVERGENCE.set(report.converged)


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
