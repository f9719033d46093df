"""Opened rounds of made-up members."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from coordinator.robust.settings import RobustSettings
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.validation.judgement import Judgement, JudgeSettings, judge_sums
from coordinator.validation.settings import ValidationSettings
from federated_router.crypto.ckks import SLOTS
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.publication import Priors

CATALOGUE = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu",),
    slot_max=1_000,
    blocks=(Block.PERFORMANCE, Block.HOLDOUT),
)
SHARE_SIGMA = 5.0
MEMBERS = 5
COUNTED = CATALOGUE.statistic_slots


@dataclass(kw_only=True)
class Made:
    """A round of alike members, `shift` buckets slower than usual."""

    cohorts: int
    seed: int = 1
    shift: int = 0
    spoil: dict[int, np.ndarray] = field(default_factory=dict)
    """Published slots by cohort number that replace its own."""
    miscounted: Sequence[int] = ()
    closed: Sequence[int] = ()

    def opened(self) -> OpenedRound:
        """Return the opened cohorts."""
        dice = np.random.default_rng(self.seed)
        numbers = range(1, self.cohorts + 1)
        made = [self._cohort(number, dice) for number in numbers]
        return OpenedRound(tuple(one for one in made if one.number not in self.closed))

    def _cohort(self, number: int, dice: np.random.Generator) -> OpenedCohort:
        slots = np.zeros(SLOTS, dtype=np.int64)
        slots[0] = MEMBERS + (number in self.miscounted)
        slots[1 : 1 + COUNTED] = self.spoil.get(number, self._sums(dice))
        return OpenedCohort(number, MEMBERS, MEMBERS, slots)

    def _sums(self, dice: np.random.Generator) -> np.ndarray:
        mean = np.zeros(COUNTED)
        width = CATALOGUE.cell_slots
        for cell, requests in ((0, 200), (1, 100)):
            start = cell * width + 5 + self.shift
            mean[start : start + 4] = MEMBERS * requests / 4
        noise = SHARE_SIGMA * np.sqrt(MEMBERS) * np.array(CATALOGUE.noise_factors)
        return dice.poisson(mean) + np.rint(dice.normal(0.0, noise)).astype(np.int64)

    def judged(
        self,
        *,
        earlier: Priors | None = None,
        pooled: Sequence[float] = (),
        robust: RobustSettings | None = None,
        validation: ValidationSettings | None = None,
    ) -> Judgement:
        """Return the judgement of the round."""
        return judge_sums(
            CATALOGUE,
            self.opened(),
            share_sigma=SHARE_SIGMA,
            cohort_sizes=[MEMBERS] * self.cohorts,
            summed=dict.fromkeys(range(1, self.cohorts + 1), MEMBERS),
            earlier=earlier,
            pooled=pooled,
            settings=JudgeSettings(
                robust or RobustSettings(), validation or ValidationSettings()
            ),
        )


def published(judgement: Judgement) -> Priors:
    """Return the priors that this judgement publishes."""
    return Priors(
        revision=1,
        round_name="rounds/r1",
        create_time_s=1.0,
        catalogue=CATALOGUE,
        members=MEMBERS,
        noise_standard_deviation=judgement.noise_by_block[Block.PERFORMANCE],
        contents=CATALOGUE.decode(judgement.values),
        noise_by_block=judgement.noise_by_block,
    )
