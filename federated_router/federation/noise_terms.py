"""The terms of the noise that members add before they encrypt.

Decides which shares of noise every opened sum is certain to hold, and how large one
share is: the same at the coordinator and at each member. Refuses to judge whether that
suffices (`verification`) and to draw any (`privacy.noise`).
"""

from dataclasses import dataclass

from federated_router.privacy.noise import share_sigma, shares_min


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseTerms:
    """The noise that the guaranteed honest shares sum to, and what it hides.

    `scale` is a standard deviation, and `sensitivity_squared` the squared L2 distance
    that one protected user moves a sum by, both in units of each slot's noise factor.
    `cohort_size` is 0 where the whole roster is one cohort, and the other terms of
    cohorts are then 0, too. Where there are cohorts each of them opens by itself, so
    that the noise follows from theirs and not from `survivors_min`.
    """

    scale: float
    survivors_min: int
    colluders_max: int
    sensitivity_squared: int
    cohort_size: int = 0
    cohort_survivors_min: int = 0
    cohort_colluders_max: int = 0

    @property
    def honest_min(self) -> int:
        """Return how many honest shares every opened sum is certain to hold.

        Raises FieldInvalid for terms under which nobody honest is left.
        """
        if self.cohort_size:
            return shares_min(
                survivors_min=self.cohort_survivors_min,
                colluders_max=self.cohort_colluders_max,
            )
        return shares_min(
            survivors_min=self.survivors_min, colluders_max=self.colluders_max
        )

    @property
    def share_sigma(self) -> float:
        """Return the deviation of one member's share, on a slot of noise factor 1.

        Raises FieldInvalid as `honest_min`, and for a share that cannot be drawn.
        """
        return share_sigma(
            sigma_total=self.scale, survivors_min=self.honest_min, colluders_max=0
        )
