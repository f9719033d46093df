"""A linear model of one model's reward from own and federated sums. Pure.

Decides how the two are added and how cautious the solution is. Refuses to know where
the sums come from, and what is done with expectations.

Both are sums over requests of the same products in the same units, so they are added;
of words and embeddings the federation says nothing, which counts as features of 0.
Ridge regression draws the reward towards its mean over all prompts, not towards 0: what
is not known of a prompt leaves a model at what it is known for.

Noise makes the federation's sums worth less than as many own outcomes. With b = A theta
+ e, where chance gives e the covariance A/4 and noise another s^2 in each direction, a
direction of eigenvalue a is worth a / (a + 4 s^2) of what it says: all of it without
noise, little where noise may outweigh requests.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated_router.choice.own_rewards import RewardSums
from federated_router.choice.settings import ChoiceSettings
from federated_router.priors.bandit import BanditEvidence
from federated_router.priors.features import BIAS, FEATURE_COUNT

Reals = NDArray[np.float64]
_CHANCE = 0.25
"""The most that a reward in [0, 1] varies."""

_TURNS = 4
_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class RewardModel:
    """Expected reward as `mean` + `theta` . x; `theta` has the shape (features,).

    `covariance` is of the federation's features, `variances` of each of the others, of
    words and an embedding: how those vary together is left out, for speed. `own` and
    `told` are the requests behind it, the router's and the federation's.
    """

    mean: float
    theta: Reals = field(repr=False)
    covariance: Reals = field(repr=False)
    variances: Reals = field(repr=False)
    own: float
    told: float


def solve(
    own: RewardSums, told: BanditEvidence | None, settings: ChoiceSettings
) -> RewardModel:
    """Return the model of what is known; takes milliseconds, for a thread."""
    mean = _mean(own, told, settings)
    gram: Reals = own.gram.copy()
    centred: Reals = own.moment - mean * own.gram[:, 0] / BIAS
    if told is not None:
        worth, says = _discounted(told, mean, settings)
        gram[:FEATURE_COUNT, :FEATURE_COUNT] += worth
        centred[:FEATURE_COUNT] += says
    gram[np.diag_indices_from(gram)] += _ridge(settings)
    inverse: Reals = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    return RewardModel(
        mean=mean,
        theta=np.asarray(inverse @ centred, dtype=np.float64),
        covariance=_CHANCE * inverse[:FEATURE_COUNT, :FEATURE_COUNT],
        variances=_CHANCE * np.diag(inverse)[FEATURE_COUNT:],
        own=own.requests,
        told=0.0 if told is None else float(told.gram[0, 0]) / BIAS**2,
    )


def _ridge(settings: ChoiceSettings) -> Reals:
    """Return what is added to the diagonal, of the shape (features,)."""
    ridge: Reals = np.full(settings.width, settings.word_ridge, dtype=np.float64)
    ridge[:FEATURE_COUNT] = settings.feature_ridge
    if settings.embedding is not None:
        ridge[settings.embedding_place :] = settings.embedding.ridge
    return ridge


def _mean(
    own: RewardSums, told: BanditEvidence | None, settings: ChoiceSettings
) -> float:
    """Return the mean reward, drawn towards the prior by a few requests of it."""
    weight = BIAS**2 * settings.quality_prior_requests
    rewards = BIAS * float(own.moment[0]) + weight * settings.quality_prior
    requests = float(own.gram[0, 0]) + weight
    if told is not None:
        rewards += BIAS * float(told.moment[0])
        requests += float(told.gram[0, 0])
    return min(max(rewards / requests, 0.0), 1.0)


def _discounted(
    told: BanditEvidence, mean: float, settings: ChoiceSettings
) -> tuple[Reals, Reals]:
    """Return the federation's gram and centred moment, for what noise leaves of them.

    s^2 is the variance of the moment's noise, and of the gram matrix's times the mean
    and times theta; theta follows from s^2, so both are found in a few turns.
    """
    values, vectors = np.linalg.eigh(told.gram)
    values = np.maximum(values, 0.0)
    centred = vectors.T @ (told.moment - mean * told.gram[:, 0] / BIAS)
    share, squared = np.ones_like(values), 0.0
    for _ in range(_TURNS):
        moved = (mean / BIAS) ** 2 + squared
        noise = told.moment_noise**2 + told.gram_noise**2 * moved
        hidden = noise * settings.noise_caution / _CHANCE
        share = values / np.maximum(values + hidden, _LEAST)
        theta = share * centred / (share * values + settings.feature_ridge)
        squared = float(theta @ theta)
    gram: Reals = (vectors * (share * values)) @ vectors.T
    moment: Reals = vectors @ (share * centred)
    return gram, moment
