"""Integer noise for sums that several parties make together.

Decides how large each party's share is and draws it; refuses to know what is summed.
This is the only door to opendp, whose discrete Gaussian is exact and takes its
randomness from the operating system; no float noise is ever added.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import opendp.prelude as dp

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.measure import ZCDP, step_units
from federated_router.privacy.step import NoisedSumStep, require_share_sigma

LENGTH_MAX = 1 << 20

NoiseSource = Callable[[int, float], Sequence[int]]
"""Gives that many independent integers of that standard deviation."""

# The samplers carry machine-readable proofs but live behind opendp's "contrib" flag.
dp.enable_features("contrib")


def share_sigma(*, sigma_total: float, survivors_min: int, colluders_max: int) -> float:
    """Return each party's noise scale so that the worst case still has `sigma_total`.

    At least `survivors_min` parties finish, and `colluders_max` of them may subtract
    their own noise again; what is left must suffice.

    Raises:
        FieldInvalid: nobody honest is left, or the share is too small or too large.
    """
    honest = shares_min(survivors_min=survivors_min, colluders_max=colluders_max)
    sigma = sigma_total / math.sqrt(honest)
    require_share_sigma(sigma)
    return sigma


def shares_min(*, survivors_min: int, colluders_max: int) -> int:
    """Return how many noise shares an adversary is certain to face."""
    honest = survivors_min - colluders_max
    if colluders_max < 0 or honest < 1:
        raise FieldInvalid(
            "More parties must survive than may collude; raise the minimum roster.",
            field="survivors_min",
        )
    return honest


def sum_sigma(*, share_sigma: float, contributors: int) -> float:
    """Return the standard deviation of the noise in a sum of `contributors` shares.

    This is what readers of the released figure see; the privacy bound counts fewer.
    """
    if contributors < 1:
        raise FieldInvalid("A sum has at least one share.", field="contributors")
    return share_sigma * math.sqrt(contributors)


def release_units(
    *,
    sensitivity_squared: int,
    share_sigma: float,
    survivors_min: int,
    colluders_max: int,
    length: int,
) -> int:
    """Return the zCDP charge of releasing one noised sum, rounded up."""
    honest = shares_min(survivors_min=survivors_min, colluders_max=colluders_max)
    step = NoisedSumStep(
        sensitivity_squared=sensitivity_squared,
        share_sigma=share_sigma,
        shares_min=honest,
        length=length,
    )
    return step_units(step, ZCDP)


def discrete_gaussian(length: int, sigma: float) -> Sequence[int]:
    """Return `gaussian_vector` as a `NoiseSource`."""
    return gaussian_vector(length=length, sigma=sigma)


def gaussian_vector(*, length: int, sigma: float) -> list[int]:
    """Draw `length` independent discrete Gaussians of scale `sigma`, in 64 bits.

    Costs about 25 microseconds a value. Canonne, Kamath and Steinke 2020.
    """
    require_share_sigma(sigma)
    if not 1 <= length <= LENGTH_MAX:
        raise FieldInvalid(
            f"A noise vector holds 1 to {LENGTH_MAX} values.", field="length"
        )
    return _sampler(sigma)([0] * length)


@lru_cache(maxsize=64)
def _sampler(sigma: float) -> Callable[[list[int]], list[int]]:
    """Build the measurement once per scale; building costs as much as 1000 draws."""
    # opendp's default integer has 32 bits and would saturate silently.
    domain = dp.vector_domain(dp.atom_domain(T=dp.i64))
    measurement = dp.m.make_gaussian(domain, dp.l2_distance(T=dp.f64), scale=sigma)

    def draw(zeros: list[int]) -> list[int]:
        return [int(value) for value in measurement(zeros)]

    return draw
