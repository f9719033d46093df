"""What was found in a round's sums, as it is stored and shown.

Decides the facts of a report and their form as JSON. Refuses to judge (`judgement`).
Everything here is computed from noised sums and costs no privacy.
"""

import json
from dataclasses import asdict, dataclass

from coordinator.robust.dip import NOT_TESTED, DipTest


@dataclass(frozen=True, slots=True)
class CohortReport:
    """One cohort; `survivors` is 0 where it has no sum.

    `outlying_share` is 1 where the sum stayed closed or was not plausible, and was
    left out.
    """

    number: int
    members: int
    survivors: int
    outlying_share: float
    outlier: bool


@dataclass(frozen=True, slots=True)
class HoldoutReport:
    """What members' requests said of the priors before; `advantage` in nats."""

    requests: int
    advantage: float
    advantage_standard_deviation: float
    conclusive: bool


NO_HOLDOUT = HoldoutReport(0, 0.0, 0.0, conclusive=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """One round. `converged` is the part of compared requests in unchanged cells.

    `failed_checks` is empty where the round may be published.
    """

    stability: float
    diversity: float
    quality: float
    performance_delta: float
    converged: float
    holdout: HoldoutReport = NO_HOLDOUT
    cohorts: tuple[CohortReport, ...] = ()
    poisoners_tolerated: int = 0
    poisoner_influence: float = 0.0
    dip: DipTest = NOT_TESTED
    failed_checks: tuple[str, ...] = ()


def to_json(report: RoundReport) -> str:
    """Return the report as stored."""
    return json.dumps(asdict(report), allow_nan=False)


def from_json(text: str) -> RoundReport:
    """Return a stored report."""
    stored = json.loads(text)
    return RoundReport(
        **{
            **stored,
            "holdout": HoldoutReport(**stored["holdout"]),
            "cohorts": tuple(CohortReport(**one) for one in stored["cohorts"]),
            "dip": DipTest(**stored["dip"]),
            "failed_checks": tuple(stored["failed_checks"]),
        }
    )
