"""Which rounds are published, and what is said of them."""

import numpy as np
import pytest

from coordinator.robust.settings import Estimator, RobustSettings
from coordinator.rounds.state import State
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.summation.plausibility import SlotLimits
from coordinator.validation.judgement import (
    PLAUSIBILITY,
    QUALITY,
    STABILITY,
    JudgeSettings,
    judge,
)
from coordinator.validation.report import CohortReport
from coordinator.validation.settings import ValidationSettings
from federated_router.crypto.ckks import SLOTS
from federated_router.priors.blocks import Block
from tests.support import round_script as script
from tests.unit.validation.round_of_cohorts import (
    CATALOGUE,
    COUNTED,
    MEMBERS,
    SHARE_SIGMA,
    Made,
    published,
)

POISON = np.full(COUNTED, 4_000, dtype=np.int64)


def test_one_cohort_is_published_as_it_was_opened() -> None:
    """Without cohorts nothing is estimated, and nobody is tolerated."""
    made = Made(cohorts=1)

    found = made.judged()

    assert found.values == tuple(made.opened().cohorts[0].slots[1 : 1 + COUNTED])
    assert not found.rejected
    assert found.report.poisoners_tolerated == 0
    assert found.report.poisoner_influence > 5_000
    assert found.noise_by_block[Block.PERFORMANCE] == pytest.approx(
        SHARE_SIGMA * np.sqrt(MEMBERS)
    )


def test_first_round_has_nothing_to_be_compared_with() -> None:
    """Checks that need earlier priors pass."""
    found = Made(cohorts=10).judged()

    assert found.report.stability == 1.0
    assert found.report.performance_delta == 0.0
    assert found.report.failed_checks == ()


def test_quality_is_the_mean_of_stability_and_diversity() -> None:
    """As the origin defines it."""
    found = Made(cohorts=10).judged().report

    assert found.quality == pytest.approx((found.stability + found.diversity) / 2)
    assert found.diversity == pytest.approx(0.918, abs=0.05)


def test_poisoned_minority_is_named_and_moves_little() -> None:
    """Two cohorts of ten say the most that is plausible."""
    clean = Made(cohorts=10).judged()
    poisoned = Made(cohorts=10, spoil={3: POISON, 7: POISON}).judged()

    moved = np.abs(np.array(poisoned.values) - np.array(clean.values))
    assert poisoned.outlying == (3, 7)
    assert poisoned.report.poisoners_tolerated == 4
    assert int(moved[CATALOGUE.spans[Block.PERFORMANCE]].max()) < 250
    assert not poisoned.rejected


def test_plain_sum_is_moved_by_the_same_poison_without_bound() -> None:
    """The broken variant: one cohort of everybody, poisoned as far as is plausible."""
    clean = Made(cohorts=1).judged()
    poisoned = Made(cohorts=1, spoil={1: POISON}).judged()

    moved = np.abs(np.array(poisoned.values) - np.array(clean.values))
    assert int(moved.max()) > 3_500
    assert not poisoned.rejected


@pytest.mark.parametrize("trouble", ["miscounted", "closed"])
def test_cohort_that_cannot_be_believed_is_left_out_and_named(trouble: str) -> None:
    """The others are published: one poisoner does not reject a round of ten cohorts."""
    found = Made(cohorts=10, **{trouble: (4,)}).judged()  # type: ignore[arg-type]

    assert found.outlying == (4,)
    assert found.report.cohorts[3].outlying_share == 1.0
    assert found.report.cohorts[3].survivors == MEMBERS
    assert found.report.poisoners_tolerated == 4
    assert not found.rejected
    assert found.members == 9 * MEMBERS


@pytest.mark.parametrize(("cohorts", "wrong"), [(1, (1,)), (4, (1, 2)), (5, (1, 2, 3))])
def test_half_of_the_cohorts_in_doubt_reject_the_round(
    cohorts: int, wrong: tuple[int, ...]
) -> None:
    """A majority of those that are left need not be honest any more."""
    found = Made(cohorts=cohorts, miscounted=wrong).judged()

    assert found.rejected
    assert found.report.failed_checks == (PLAUSIBILITY,)
    assert found.values == ()
    assert found.outlying == wrong
    assert PLAUSIBILITY in found.cause


def test_round_that_is_like_the_one_before_is_stable() -> None:
    """The same requests, other noise."""
    before = published(Made(cohorts=10, seed=1).judged())

    found = Made(cohorts=10, seed=2).judged(earlier=before)

    assert found.report.stability > 0.95
    assert found.report.converged == 1.0
    assert abs(found.report.performance_delta) < 0.05
    assert not found.rejected


def test_round_in_which_every_outcome_moved_is_rejected() -> None:
    """Nothing in common with the priors before; thresholds as configured."""
    before = published(Made(cohorts=10).judged())
    strict = ValidationSettings(stability_min=0.5, quality_min=0.8)

    found = Made(cohorts=10, shift=8).judged(earlier=before, validation=strict)

    assert found.rejected
    assert found.report.failed_checks == (STABILITY, QUALITY)
    assert found.report.stability < 0.1
    assert found.values


def test_estimator_of_the_configuration_is_used() -> None:
    """A mean of inliers tolerates nobody for certain."""
    mean = RobustSettings(estimator=Estimator.INLIER_MEAN)

    found = Made(cohorts=10).judged(robust=mean)

    assert found.report.poisoners_tolerated == 0
    assert found.noise_by_block[Block.PERFORMANCE] == pytest.approx(
        SHARE_SIGMA * np.sqrt(10 * MEMBERS)
    )


def test_rounds_are_pooled_for_the_dip_test() -> None:
    """This round's figures are returned to be stored, and tested with the others."""
    found = Made(cohorts=10).judged(pooled=(0.5, -0.5) * 10)

    assert len(found.samples) == 10 * len(CATALOGUE.spans)
    assert found.report.dip.samples == len(found.samples) + 20


def test_round_is_judged_by_its_own_terms() -> None:
    """Catalogue, noise and cohorts come from the round."""
    round_ = script.round_in(State.VALIDATING)
    limits = SlotLimits.of(round_.terms.catalogue, share_sigma=round_.noise.share_sigma)
    slots = np.zeros(SLOTS, dtype=np.int64)
    slots[0] = len(round_.survivors)
    opened = OpenedRound(
        (OpenedCohort(1, len(round_.roster), len(round_.survivors), slots),)
    )

    found = judge(round_, opened, earlier=None, pooled=(), settings=JudgeSettings())

    assert found.values == (0,) * limits.slots
    assert found.members == len(round_.survivors)
    assert found.noise_by_block[Block.PERFORMANCE] == pytest.approx(round_.noise_sigma)
    assert found.report.cohorts == (
        CohortReport(1, 4, len(round_.survivors), 0.0, outlier=False),
    )
