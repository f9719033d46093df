"""What a round's sums must show to be published."""

from pydantic import Field

from federated_router.kit.config import Settings


class ValidationSettings(Settings):
    """Thresholds of a round; `[rounds.validation]`.

    The defaults refuse only what is clearly broken. A round fails a check only where
    its figure lies below the threshold by more than noise explains. What needs earlier
    priors is not checked in the first round. `performance_delta_min` is the least
    change of the success ratio; -1 never fails, as a fall may be true.
    `holdout_advantage_min`, in nats, does not reject the round: it judges the priors
    before it, which are withdrawn; rejecting their successor would keep them.
    """

    stability_min: float = Field(default=0.1, ge=0, le=1)
    diversity_min: float = Field(default=0.0, ge=0, le=1)
    quality_min: float = Field(default=0.1, ge=0, le=1)
    performance_delta_min: float = Field(default=-1.0, ge=-1, le=1)
    holdout_advantage_min: float = Field(default=0.0, ge=-4, le=4)
    samples_min: int = Field(default=100, ge=1)
    """Noised requests below which a cell, a model or the holdout says nothing."""
