"""What the router believes of the federation, ready to look up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from federated_router.footprint.believed import believed_intensities
from federated_router.priors.accumulate import Accumulated
from federated_router.priors.bandit import BanditEvidence, bandit_evidence
from federated_router.priors.blocks import Block
from federated_router.priors.contents import (
    STANDARD_TIER,
    BanditSums,
    Cell,
    PatternCell,
    PatternCounts,
)
from federated_router.priors.features import FEATURE_COUNT, FEATURES_VERSION
from federated_router.priors.pattern_priors import PatternEvidence, pattern_evidence
from federated_router.priors.patterns import PATTERNS_VERSION
from federated_router.priors.performance import Performance, read_performance


@dataclass(frozen=True, slots=True)
class PriorsView:
    """Performance by cell, rewards by model, patterns by cell, at one revision.

    `carbon` is by region, in grams of CO2 equivalent per kWh, where it is known well.
    Revision 0 knows nothing. Rewards and patterns are those of the features and rules
    that this build computes; others would mean something else.
    """

    revision: int = 0
    cells: Mapping[Cell, Performance] = field(default_factory=dict)
    bandits: Mapping[str, BanditEvidence] = field(default_factory=dict)
    patterns: Mapping[PatternCell, PatternEvidence] = field(default_factory=dict)
    carbon: Mapping[str, float] = field(default_factory=dict)

    def performance(
        self, model: str, region: str, tier: str = STANDARD_TIER
    ) -> Performance | None:
        """Return what is known of a model in a region at a tier, if anything."""
        found = self.cells.get(Cell(model, region, tier))
        return found if found is not None and found.weight > 0 else None


def view_of(total: Accumulated) -> PriorsView:
    """Return accumulated priors as a view; reading each of them once.

    Takes some milliseconds for a large catalogue, and belongs in a thread.
    """
    noise = total.noise_of("latency")
    contents = total.contents
    return PriorsView(
        revision=total.revision,
        cells={
            cell: read_performance(
                counts,
                bounds_ms=total.catalogue.latency_bounds_ms,
                noise_standard_deviation=noise,
            )
            for cell, counts in contents.performance.items()
        },
        bandits=_bandits(total, contents.bandits),
        patterns=_patterns(total, contents.patterns),
        carbon=believed_intensities(total),
    )


def _bandits(
    total: Accumulated, sums: Mapping[str, BanditSums]
) -> Mapping[str, BanditEvidence]:
    axes = total.catalogue
    mine = (axes.features_version, axes.features) == (FEATURES_VERSION, FEATURE_COUNT)
    if not mine or not sums or Block.BANDIT not in axes.blocks:
        return {}
    gram, moment = total.noise_of("bandit_gram"), total.noise_of("bandit_moment")
    found = {
        model: bandit_evidence(
            told, gram_noise=gram, moment_noise=moment, reward_max=axes.reward_max
        )
        for model, told in sums.items()
    }
    return {model: one for model, one in found.items() if one is not None}


def _patterns(
    total: Accumulated, counted: Mapping[PatternCell, PatternCounts]
) -> Mapping[PatternCell, PatternEvidence]:
    axes = total.catalogue
    mine = axes.patterns_version == PATTERNS_VERSION
    if not mine or not counted or Block.PATTERNS not in axes.blocks:
        return {}
    noise = total.noise_of("pattern_successes")
    found = {
        cell: pattern_evidence(counts, noise=noise) for cell, counts in counted.items()
    }
    return {cell: one for cell, one in found.items() if one is not None}
