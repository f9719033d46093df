"""What an operator assumes of members, and how cohort sums become one."""

from enum import StrEnum

from pydantic import Field

from federated_router.kit.config import Settings


class Estimator(StrEnum):
    """How cohort sums become the federation's sum; docs/robustness.md weighs them.

    MEDIAN: of the cohort means, slot by slot. TRIMMED_MEAN: of those cohort means that
    lie within the threshold of the median, slot by slot. INLIER_MEAN: of the cohorts
    that are no outliers, in all slots alike.
    """

    MEDIAN = "median"
    TRIMMED_MEAN = "trimmed_mean"
    INLIER_MEAN = "inlier_mean"


class RobustSettings(Settings):
    """Cohorts and what is done with their sums; `[rounds.cohorts]`.

    `byzantine_fraction` of a roster may contribute anything; 0 draws no cohorts: the
    whole roster is one, and a single poisoner moves its sum as far as sums are
    plausible. `colluders_fraction` of a roster is assumed to reveal its noise.
    `honest_min` honest shares of noise are in each opened cohort sum, except with
    `failure_probability` a round, which adds to delta; one is certain.
    `spoiled_probability_max`: that at least half of the cohorts hold a poisoner.
    """

    byzantine_fraction: float = Field(default=0.0, ge=0, lt=0.5)
    colluders_fraction: float = Field(default=1 / 3, ge=0, lt=1)
    cohort_participation_min: float = Field(default=0.8, gt=0, le=1)
    honest_min: int = Field(default=1, ge=1)
    failure_probability: float = Field(default=1e-9, gt=0, lt=1)
    spoiled_probability_max: float = Field(default=0.01, gt=0, lt=1)
    estimator: Estimator = Estimator.MEDIAN
    mad_threshold: float = Field(default=2.0, ge=1)
    outlier_error_rate: float = Field(default=1e-3, gt=0, lt=1)
    pooled_rounds_max: int = Field(default=50, ge=1, le=1000)
    offender_rounds_max: int = Field(default=100, ge=1, le=1000)
