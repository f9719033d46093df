"""What a round's report says, as rows for people.

Pure: a message comes in, rows go out.
"""

from collections.abc import Sequence

from federated_router.api.v1 import aggregation_pb2 as pb

Rows = list[list[object]]


def report_facts(report: pb.RoundReport) -> list[tuple[str, str]]:
    """Return what was found in the opened sums."""
    holdout, dip = report.holdout, report.dip
    quality, power = report.quality, dip.power
    rows = [
        ("quality", f"{quality:.3f}, the mean of stability and diversity"),
        ("stability", f"{report.stability:.3f}"),
        ("diversity", f"{report.diversity:.3f}"),
        ("success", f"{report.performance_delta:+.4f} since the priors before"),
        ("own requests", _holdout(holdout)),
        ("poisoners", _poisoners(report)),
    ]
    if dip.samples:
        seen = f"a shifted third would show with probability {power:.2f}"
        rows.append(
            (
                "modes",
                f"dip test over {dip.samples} sums: p = {dip.p_value:.3f}; {seen}",
            )
        )
    if report.failed_checks:
        rows.append(("failed", ", ".join(report.failed_checks)))
    return rows


COHORT_COLUMNS = ("cohort", "members", "in the sum", "outlying slots", "")


def cohort_rows(cohorts: Sequence[pb.CohortReport]) -> Rows:
    """Return each cohort's part in the estimate."""
    return [
        [
            one.number,
            one.members,
            one.survivors,
            f"{one.outlying_share:.1%}",
            _judged(one),
        ]
        for one in cohorts
    ]


def _holdout(holdout: pb.HoldoutReport) -> str:
    if not holdout.conclusive:
        return f"too few to judge the priors before ({holdout.requests:,} with noise)"
    better = "better" if holdout.advantage > 0 else "worse"
    return (
        f"the priors before predict {better} than each member alone, by "
        f"{holdout.advantage:+.4f} ± {holdout.advantage_standard_deviation:.4f} nats "
        f"over {holdout.requests:,}"
    )


def _judged(one: pb.CohortReport) -> str:
    if not one.survivors:
        return "not opened: too few survivors"
    return "outlier" if one.outlier else ""


def _poisoners(report: pb.RoundReport) -> str:
    return (
        f"{report.poisoners_tolerated} withstood for certain; one moves a count by "
        f"{report.poisoner_influence:,.0f} at most"
    )
