"""Whether what a round opened is published, and what is said about it.

Decides in this order: which cohorts' sums are plausible, what the federation's sum is,
and whether it passes the checks. Refuses to change the round, to store and to tell.
Blocks the calling thread for some milliseconds per thousand cohort slots.

Checks by name, as they stand in `RoundReport.failed_checks`:
PLAUSIBILITY  half of the sums or more stay closed, or nobody can have made them;
STABILITY, DIVERSITY, QUALITY, PERFORMANCE  a figure is below its threshold by more
than noise explains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from coordinator.robust.cohort_sums import CohortSums
from coordinator.robust.dip import dip_test
from coordinator.robust.estimators import estimate
from coordinator.robust.influence import influence
from coordinator.robust.pooling import standardised
from coordinator.robust.settings import Estimator, RobustSettings
from coordinator.robust.spoiling import poisoners_tolerated
from coordinator.rounds.round import Round
from coordinator.summation.opened import OpenedRound
from coordinator.summation.plausibility import SlotLimits
from coordinator.validation.cohorts import (
    cohort_reports,
    outlying_shares,
    plausible_sums,
)
from coordinator.validation.figures import Figures, figures
from coordinator.validation.report import RoundReport
from coordinator.validation.settings import ValidationSettings
from federated_router.crypto.ckks import Integers
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.publication import Priors

PLAUSIBILITY: Final = "plausibility"
STABILITY: Final = "stability"
DIVERSITY: Final = "diversity"
QUALITY: Final = "quality"
PERFORMANCE: Final = "performance_delta"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What judging needs of the configuration."""

    robust: RobustSettings = field(default_factory=RobustSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is published if no check failed, and what is reported in any case.

    `values` are the published slots, empty where nothing was plausible; they speak for
    `members`, the survivors of cohorts that are believed. The noise on a slot of factor
    f has a standard deviation of f times `noise_by_block` of its block.
    `outlying` are the numbers of cohorts that are outliers or cannot be believed;
    `samples` the round's own figures for pooling; `earlier_harmful` whether members'
    requests speak against the priors before.
    """

    values: tuple[int, ...] = field(repr=False)
    members: int
    noise_by_block: Mapping[Block, float]
    report: RoundReport
    outlying: tuple[int, ...]
    samples: tuple[float, ...] = field(repr=False)
    earlier_harmful: bool

    @property
    def rejected(self) -> bool:
        """Whether the round must not be applied."""
        return bool(self.report.failed_checks)

    @property
    def cause(self) -> str:
        """Return why the round is rejected, for its `end_cause`."""
        return f"These checks failed: {', '.join(self.report.failed_checks)}."


def judge(
    round_: Round,
    opened: OpenedRound,
    *,
    earlier: Priors | None,
    pooled: Sequence[float],
    settings: JudgeSettings,
) -> Judgement:
    """Judge what a round opened.

    `earlier` are the newest published priors, `pooled` the figures of earlier rounds
    (`ReportStore.pooled`).
    """
    return judge_sums(
        round_.terms.catalogue,
        opened,
        share_sigma=round_.noise.share_sigma,
        cohort_sizes=[len(cohort) for cohort in round_.cohorts],
        summed={number: len(part) for number, part in round_.open_cohorts},
        earlier=earlier,
        pooled=pooled,
        settings=settings,
    )


def judge_sums(
    catalogue: Catalogue,
    opened: OpenedRound,
    *,
    share_sigma: float,
    cohort_sizes: Sequence[int],
    summed: Mapping[int, int],
    earlier: Priors | None,
    pooled: Sequence[float],
    settings: JudgeSettings,
) -> Judgement:
    """Judge opened sums.

    `share_sigma` is the deviation of one member's noise on a slot of factor 1;
    `cohort_sizes` are the sizes of all cohorts, `summed` the survivors of those that
    have a sum by number, whether or not it opened.
    """
    limits = SlotLimits.of(catalogue, share_sigma=share_sigma)
    plausible = plausible_sums(opened, limits)
    if 2 * len(plausible) <= len(summed):
        return _implausible(plausible, summed, cohort_sizes)
    kept = [cohort for cohort in opened.cohorts if cohort.number in plausible]
    cohort_sums = CohortSums(
        sums=np.stack([plausible[cohort.number] for cohort in kept]),
        survivors=np.array([cohort.survivors for cohort in kept], dtype=np.int64),
        share_noise=limits.share_noise,
    )
    robust = settings.robust
    estimated = estimate(
        cohort_sums,
        estimator=robust.estimator,
        threshold=robust.mad_threshold,
        error_rate=robust.outlier_error_rate,
    )
    values = tuple(int(value) for value in estimated.values)
    noise = share_sigma * estimated.noise_multiple
    found = figures(
        catalogue,
        values,
        noise=noise,
        earlier=earlier,
        samples_min=settings.validation.samples_min,
    )
    samples = standardised(cohort_sums, list(catalogue.spans.values()))
    judged = outlying_shares(kept, estimated.outliers)
    cohorts = cohort_reports(judged, summed, cohort_sizes)
    report = RoundReport(
        stability=found.change.stability.value,
        diversity=found.diversity.value,
        quality=found.quality.value,
        performance_delta=found.change.performance_delta.value,
        converged=found.change.converged,
        holdout=found.holdout,
        cohorts=cohorts,
        poisoners_tolerated=_tolerated(cohort_sums, robust.estimator),
        poisoner_influence=_influence(cohort_sums, catalogue, limits, robust),
        dip=dip_test([*samples, *pooled]),
        failed_checks=_failed(found, settings.validation),
    )
    return Judgement(
        values=values,
        members=cohort_sums.members,
        noise_by_block=MappingProxyType(dict.fromkeys(catalogue.spans, noise)),
        report=report,
        outlying=tuple(cohort.number for cohort in cohorts if cohort.outlier),
        samples=samples,
        earlier_harmful=found.earlier_harmful(settings.validation),
    )


def _failed(found: Figures, settings: ValidationSettings) -> tuple[str, ...]:
    checks = {
        STABILITY: found.change.stability.below(settings.stability_min),
        DIVERSITY: found.diversity.below(settings.diversity_min),
        QUALITY: found.quality.below(settings.quality_min),
        PERFORMANCE: found.change.performance_delta.below(
            settings.performance_delta_min
        ),
    }
    return tuple(name for name, failed in checks.items() if failed)


def _tolerated(cohort_sums: CohortSums, estimator: Estimator) -> int:
    """Return how many poisoners the estimator bounds; a mean bounds none."""
    if estimator is Estimator.INLIER_MEAN:
        return 0
    return poisoners_tolerated(cohort_sums.cohorts)


def _influence(
    cohort_sums: CohortSums,
    catalogue: Catalogue,
    limits: SlotLimits,
    settings: RobustSettings,
) -> float:
    """Return by how much one poisoner moved any count of requests, at most."""
    moved = influence(
        cohort_sums,
        estimator=settings.estimator,
        threshold=settings.mad_threshold,
        poisoners=1,
        plausible_width=limits.mean_width(int(cohort_sums.survivors.min())),
    )
    return float(moved[catalogue.spans[Block.PERFORMANCE]].max())


def _implausible(
    plausible: Mapping[int, Integers], summed: Mapping[int, int], sizes: Sequence[int]
) -> Judgement:
    """Return the judgement of a round of which too little can be believed."""
    judged = dict.fromkeys(plausible, (0.0, False))
    cohorts = cohort_reports(judged, summed, sizes)
    return Judgement(
        values=(),
        members=0,
        noise_by_block=MappingProxyType({}),
        report=RoundReport(
            stability=0.0,
            diversity=0.0,
            quality=0.0,
            performance_delta=0.0,
            converged=0.0,
            cohorts=cohorts,
            failed_checks=(PLAUSIBILITY,),
        ),
        outlying=tuple(cohort.number for cohort in cohorts if cohort.outlier),
        samples=(),
        earlier_harmful=False,
    )
