"""Every figure that a round's sums are validated by.

Decides which sums, with which noise, go into which figure. Refuses to know thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.validation.change import Change, Outcomes, change
from coordinator.validation.diversity import diversity
from coordinator.validation.figure import Figure, mean_of
from coordinator.validation.holdout import harmful, holdout
from coordinator.validation.report import NO_HOLDOUT, HoldoutReport
from coordinator.validation.settings import ValidationSettings
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found; thresholds come later."""

    change: Change
    diversity: Figure
    holdout: HoldoutReport

    @property
    def quality(self) -> Figure:
        """Return (stability + diversity) / 2."""
        return mean_of(self.change.stability, self.diversity)

    def earlier_harmful(self, settings: ValidationSettings) -> bool:
        """Whether members' requests speak against the priors before."""
        return harmful(self.holdout, advantage_min=settings.holdout_advantage_min)


def figures(
    catalogue: Catalogue,
    values: Sequence[int],
    *,
    noise: float,
    earlier: Priors | None,
    samples_min: int,
) -> Figures:
    """Return the figures of published slots; `noise` is that on a slot of factor 1."""
    contents = catalogue.decode(values)
    now = Outcomes(contents.performance, catalogue.latency_bounds_ms, noise)
    return Figures(
        change=change(_before(earlier), now, samples_min=samples_min),
        diversity=diversity(contents.performance, noise=noise),
        holdout=_holdout(catalogue, contents, noise=noise, samples_min=samples_min),
    )


def _before(earlier: Priors | None) -> Outcomes | None:
    if earlier is None:
        return None
    return Outcomes(
        earlier.performance,
        earlier.catalogue.latency_bounds_ms,
        earlier.noise_of("latency"),
    )


def _holdout(
    catalogue: Catalogue, contents: Contents, *, noise: float, samples_min: int
) -> HoldoutReport:
    if Block.HOLDOUT not in catalogue.spans:
        return NO_HOLDOUT
    factors = {
        quantity: factor for quantity, (_, factor) in catalogue.quantities.items()
    }
    return holdout(
        contents.holdout,
        requests_noise=noise * factors["holdout_requests"],
        advantage_noise=noise * factors["holdout_advantage"],
        samples_min=samples_min,
    )
