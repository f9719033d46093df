"""A round's report as a message."""

from coordinator.validation.report import RoundReport
from federated_router.api.v1 import aggregation_pb2


def report_message(report: RoundReport) -> aggregation_pb2.RoundReport:
    """Return the report as the contract states it."""
    return aggregation_pb2.RoundReport(
        stability=report.stability,
        diversity=report.diversity,
        quality=report.quality,
        performance_delta=report.performance_delta,
        holdout=aggregation_pb2.HoldoutReport(
            requests=report.holdout.requests,
            advantage=report.holdout.advantage,
            advantage_standard_deviation=report.holdout.advantage_standard_deviation,
            conclusive=report.holdout.conclusive,
        ),
        cohorts=[
            aggregation_pb2.CohortReport(
                number=cohort.number,
                members=cohort.members,
                survivors=cohort.survivors,
                outlying_share=cohort.outlying_share,
                outlier=cohort.outlier,
            )
            for cohort in report.cohorts
        ],
        poisoners_tolerated=report.poisoners_tolerated,
        poisoner_influence=report.poisoner_influence,
        dip=aggregation_pb2.DipReport(
            samples=report.dip.samples,
            statistic=report.dip.statistic,
            p_value=report.dip.p_value,
            power=report.dip.power,
        ),
        failed_checks=report.failed_checks,
    )
