"""A linear model of reward from noised sufficient statistics, for LinUCB or Thompson.

Decides how a noised gram matrix is made one that can be inverted, and how uncertain the
solution is. Refuses to know features, how the answer is used, and how to explore.
Post-processing: it costs no privacy.

A noised gram matrix A + E is symmetric but may have negative eigenvalues. They are cut
at zero; then lambda I is added, so that the least eigenvalue reaches what the noise
alone could make of nothing (AdaSSP, Wang 2018, "Revisiting differentially private
linear regression": lambda = max(0, tau - least eigenvalue)). Here tau bounds the
spectral norm of E, whose upper triangle is independent noise of deviation sigma: the
largest eigenvalue has a mean of at most 2 sigma sqrt(d) (Davidson and Szarek 2001) and
is a sqrt(2) sigma-Lipschitz function of that noise, so either end exceeds
sigma (2 sqrt(d) + t) with probability below 2 exp(-t^2 / 4); t is for 1 in 1,000.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.priors.blocks import Block
from federated_router.priors.contents import BanditSums
from federated_router.priors.sums import Sums

Reals = NDArray[np.float64]

_TAIL: Final = 2 * math.sqrt(math.log(2 * 1000))


@dataclass(frozen=True, slots=True)
class BanditEvidence:
    """What the federation says of one model's reward, to be added to own statistics.

    `gram` (features, features) and `moment` (features,) are per reward in [0, 1], the
    gram matrix with its negative eigenvalues cut at zero. Their noise has a standard
    deviation of `gram_noise` and `moment_noise` on each number, and `noise_bound` is
    what the gram matrix's noise exceeds in the spectral norm once in 1,000 draws.
    """

    gram: Reals = field(repr=False)
    moment: Reals = field(repr=False)
    gram_noise: float
    moment_noise: float
    noise_bound: float


def bandit_evidence(
    told: BanditSums, *, gram_noise: float, moment_noise: float, reward_max: int
) -> BanditEvidence | None:
    """Return one model's sums to add to own ones; None where noise says nothing.

    That is where no eigenvalue of the gram matrix exceeds what noise alone could make.
    """
    values, vectors = np.linalg.eigh(matrix_of(told))
    bound = spectral_bound(len(told.moment), gram_noise)
    if float(values[-1]) <= bound:
        return None
    gram: Reals = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return BanditEvidence(
        gram=gram,
        moment=np.array(told.moment, dtype=np.float64) / reward_max,
        gram_noise=gram_noise,
        moment_noise=moment_noise / reward_max,
        noise_bound=bound,
    )


@dataclass(frozen=True, slots=True)
class LinearReward:
    """Expected reward in [0, 1] as theta . x over the catalogue's features.

    `theta` has shape (features,), `covariance` (features, features); both are per step
    of a feature. `regularisation` is what was added to the eigenvalues of the gram
    matrix, in its squared steps.
    """

    theta: Reals = field(repr=False)
    covariance: Reals = field(repr=False)
    regularisation: float

    def mean(self, features: Reals) -> float:
        """Return the expected reward of a feature vector, unclipped."""
        return float(self.theta @ features)

    def deviation(self, features: Reals) -> float:
        """Return its standard deviation: what LinUCB multiplies by alpha."""
        return math.sqrt(max(0.0, float(features @ self.covariance @ features)))


def read_bandit(sums: Sums, model: str, *, ridge: float = 1.0) -> LinearReward | None:
    """Return the linear model of one model's reward; None where noise says nothing.

    That is where no eigenvalue of the gram matrix exceeds what noise alone could have
    made. `ridge` is added in any case.
    """
    told = sums.contents.bandits.get(model)
    if told is None or Block.BANDIT not in sums.catalogue.blocks:
        return None
    gram, moment = matrix_of(told), np.array(told.moment, dtype=np.float64)
    noise = sums.noise_of("bandit_gram")
    values, vectors = np.linalg.eigh(gram)
    hidden = spectral_bound(len(moment), noise)
    if float(values[-1]) <= hidden or float(values[-1]) <= 0:
        return None
    raised = np.maximum(values, 0.0)
    added = ridge + max(0.0, hidden - float(raised[0]))
    inverse: Reals = (vectors / (raised + added)) @ vectors.T
    theta: Reals = inverse @ moment
    return _in_rewards(sums, theta, inverse, added)


def matrix_of(sums: BanditSums) -> Reals:
    """Return the symmetric matrix of an upper triangle, shape (d, d)."""
    width = len(sums.moment)
    matrix = np.zeros((width, width), dtype=np.float64)
    rows, columns = np.triu_indices(width)
    matrix[rows, columns] = sums.gram
    matrix[columns, rows] = sums.gram
    return matrix


def spectral_bound(width: int, noise: float) -> float:
    """Return what the spectral norm of the noise exceeds once in 1,000 draws."""
    return noise * (2 * math.sqrt(width) + _TAIL)


def _in_rewards(sums: Sums, theta: Reals, inverse: Reals, added: float) -> LinearReward:
    """Return theta per unit of reward, with what chance and noise make uncertain.

    Chance: a reward in [0, 1] varies by at most 1/4. Noise: an error e of the moment
    moves theta by the inverse times e, and an error E of the gram matrix by the inverse
    times E theta, whose entries have the variance noise^2 |theta|^2.
    """
    full = float(sums.catalogue.reward_max)
    theta = theta / full
    moved = (sums.noise_of("bandit_moment") / full) ** 2 + (
        sums.noise_of("bandit_gram") ** 2 * float(theta @ theta)
    )
    covariance: Reals = 0.25 * inverse + moved * inverse @ inverse
    return LinearReward(theta, covariance, added)
