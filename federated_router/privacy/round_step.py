"""What one round of a federation releases, as the step that every ledger charges.

Decides the one step from a round's public terms, so that the coordinator's account and
each member's odometer charge the same. Refuses to know catalogues, rosters and cohorts:
what they amount to are arguments.

Slots come in blocks. A slot of block b gets noise of scale `share_sigma * clip_b`, and
one request moves the block by at most `clip_b` in L2. So in units of each block's own
noise, a user of k requests moves the sum by at most k sqrt(blocks), and the round costs
what one NoisedSumStep in those units costs: losses of independent slots add up, and a
sum of discrete Gaussians exceeds a Gaussian the less, the larger their scale (Kairouz,
Liu and Steinke 2021, "The Distributed Discrete Gaussian Mechanism", theorem 1, one slot
at a time); a clip is a whole number of at least 1.
"""

import math

from federated_router.privacy.step import NoisedSumStep


def round_step(
    *, share_sigma: float, shares_min: int, sensitivity_squared: int, length: int
) -> NoisedSumStep:
    """Return the step that publishing the opened sums of one round is.

    `share_sigma` is the scale of one member's share on a slot of clip 1; `shares_min`
    honest shares are certain to be in every opened sum, with cohorts in each cohort's.
    `length` counts published slots. Charged once however many cohorts there are: a user
    whose requests one member counts is in one cohort's sum only.

    The scale is taken down by one place of its double, so that rounding its product
    with a clip never leaves less noise than what is charged.

    Raises:
        FieldInvalid: no honest share, or a scale that the sampler refuses.
    """
    return NoisedSumStep(
        sensitivity_squared=sensitivity_squared,
        share_sigma=math.nextafter(share_sigma, 0.0),
        shares_min=shares_min,
        length=length,
    )
