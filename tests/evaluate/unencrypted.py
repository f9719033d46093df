"""The sum of a round without its encryption: what members add, and how it is judged.

Decides nothing of its own: contributions are made by the member's counting, clipping
and noise, and judged, published and added up by the coordinator's and the router's
code. Only CKKS and secret shares are left out. They carry whole numbers exactly, so
that the sum has the same distribution, and without noise the same numbers, as that of
`sharing.published`; a test holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coordinator.rounds.terms import noise_terms
from coordinator.simulation.coordinator_process import (
    coordinator_settings,
    coordinator_terms,
)
from coordinator.simulation.plan import SimulationPlan
from coordinator.summation.opened import OpenedCohort, OpenedRound
from coordinator.validation.judgement import Judgement, JudgeSettings, judge_sums
from federated_router.crypto import quantise
from federated_router.crypto.ckks import Integers
from federated_router.federation.contribution import slot_noise
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.statistics import Statistics
from federated_router.kit.authority import IdentityFiles
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.publication import Priors
from federated_router.privacy.noise import NoiseSource, discrete_gaussian
from tests.evaluate.mmlu import Places, Questions
from tests.evaluate.sharing import catalogue, plan_of, record

NO_FILES = IdentityFiles(*[Path("/nowhere")] * 3)


@dataclass(frozen=True, slots=True)
class PlainRound:
    """A round of these members' contributions, to be noised as often as wanted."""

    catalogue: Catalogue
    contributions: Sequence[Integers] = field(repr=False)

    def published(
        self, noise: NoiseTerms, *, source: NoiseSource = discrete_gaussian
    ) -> Priors:
        """Return what a round with noise of its own publishes.

        Raises RuntimeError if the round is rejected.
        """
        vectors = [
            quantise.with_count(
                one
                + slot_noise(
                    self.catalogue.noise_factors, sigma=noise.share_sigma, noise=source
                )
            )
            for one in self.contributions
        ]
        found = self._judged(np.sum(vectors, axis=0), noise.share_sigma)
        if found.rejected:
            raise RuntimeError(f"The round was not published: {found.cause}")
        return Priors(
            revision=1,
            round_name="rounds/plain",
            create_time_s=0.0,
            catalogue=self.catalogue,
            members=found.members,
            noise_standard_deviation=found.noise_by_block[Block.PERFORMANCE],
            noise_by_block=found.noise_by_block,
            contents=self.catalogue.decode(found.values),
        )

    def _judged(self, total: Integers, share_sigma: float) -> Judgement:
        members = len(self.contributions)
        return judge_sums(
            self.catalogue,
            OpenedRound((OpenedCohort(1, members, members, total),)),
            share_sigma=share_sigma,
            cohort_sizes=[members],
            summed={1: members},
            earlier=None,
            pooled=(),
            settings=JudgeSettings(),
        )


def plain_round(found: Questions, parts: Sequence[Places]) -> PlainRound:
    """Return the round in which every member tells its outcomes."""
    axes = catalogue().catalogue()
    contributions: list[Integers] = []
    for part in parts:
        statistics = Statistics()
        record(statistics, found, part)
        batch = statistics.begin_contribution("rounds/plain")
        encoded = axes.encode(batch.over(axes.latency_bounds_ms))
        contributions.append(np.array(encoded.values, dtype=np.int64))
    return PlainRound(axes, contributions)


def noise_of(plan: SimulationPlan) -> NoiseTerms:
    """Return the noise that the coordinator asks a plan's members for."""
    terms = coordinator_terms(plan, coordinator_settings(plan, NO_FILES))
    return noise_terms(terms, joined=plan.members, holders=plan.members)


def noise_at(epsilon: float, members: int) -> NoiseTerms:
    """Return the noise of a round in which one request may cost `epsilon`."""
    return noise_of(plan_of(members, epsilon))
