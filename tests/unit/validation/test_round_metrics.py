"""What Prometheus hears of rounds."""

from prometheus_client import REGISTRY

from coordinator import metrics
from tests.unit.validation.round_of_cohorts import Made

NAMES = {
    "federation_nodes_active",
    "federation_round_duration_seconds",
    "federation_participation_rate",
    "federated_rounds_completed",
    "federation_prior_stability",
    "federation_model_diversity",
    "federation_convergence_rate",
    "federation_failed_authentications",
    "federation_encryption_errors",
    "federation_malformed_messages",
}


def test_every_name_that_users_know_is_there() -> None:
    """Dashboards were built on them."""
    assert {metric.name for metric in REGISTRY.collect()} >= NAMES


def test_metrics_show_the_newest_report() -> None:
    """By the names that users know."""
    report = Made(cohorts=10).judged().report

    metrics.judged(report)

    assert metrics.PRIOR_STABILITY._value.get() == report.stability
    assert metrics.MODEL_DIVERSITY._value.get() == report.diversity
    assert metrics.CONVERGENCE._value.get() == report.converged
