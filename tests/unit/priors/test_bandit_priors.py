"""A linear model of reward from noised sums is the least-squares one, or none."""

import math
from dataclasses import replace

import numpy as np
import pytest

from federated_router.priors.bandit import matrix_of, read_bandit, spectral_bound
from federated_router.priors.contents import BanditSums, Contents
from federated_router.priors.publication import Priors
from tests.unit.priors.worlds import LAYOUT, PLAIN, noised, priors_of

MODEL = "models/a"
TRUTH = np.array([0.1, 0.02, -0.03, 0.01])
WIDE = replace(LAYOUT, slot_max=1_000_000)


def sums_of(features: np.ndarray, rewards: np.ndarray) -> BanditSums:
    """Return the sufficient statistics of requests; shapes (n, d) and (n,)."""
    gram = features.T @ features
    upper = gram[np.triu_indices(features.shape[1])]
    moment = features.T @ rewards
    return BanditSums(tuple(map(int, upper)), tuple(map(int, moment)))


def served(requests: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return feature vectors within the norm, and the true model's rewards in steps."""
    source = np.random.default_rng(seed)
    features = source.integers(-4, 5, size=(requests, 4))
    features[:, 0] = 4
    features[np.sum(features**2, axis=1) > LAYOUT.feature_norm_squared, 1] = 0
    expected = np.clip(features @ TRUTH, 0, 1)
    return features, source.binomial(LAYOUT.reward_max, expected)


def priors_from(sums: BanditSums, *, noise: float = 0.0) -> Priors:
    """Return priors that hold one model's statistics."""
    contents = Contents(bandits={MODEL: sums})
    return priors_of(contents, noise=noise, catalogue=WIDE)


def test_upper_triangle_becomes_the_symmetric_matrix() -> None:
    """Row by row, the diagonal included."""
    features, rewards = served(50)

    matrix = matrix_of(sums_of(features, rewards))

    assert np.array_equal(matrix, features.T @ features)


def test_noiseless_sums_give_the_ridge_solution() -> None:
    """What a member with all requests in one place would compute."""
    features, rewards = served(3000)

    found = read_bandit(priors_from(sums_of(features, rewards)), MODEL, ridge=2.0)

    assert found is not None
    gram = features.T @ features + 2.0 * np.eye(4)
    wanted = np.linalg.solve(gram, features.T @ rewards) / LAYOUT.reward_max
    assert np.allclose(found.theta, wanted, atol=1e-9)
    assert found.regularisation == 2.0
    assert found.deviation(np.array([4.0, 0, 0, 0])) == pytest.approx(
        0.5 * math.sqrt(16 * np.linalg.inv(gram)[0, 0])
    )


def test_predictions_stay_within_their_deviations_under_noise() -> None:
    """Over 200 draws, 95 % of the predictions lie within two stated deviations.

    With 50,000 requests and noise 20; a fair two-deviation interval misses 4.6 %, and
    more than 30 of 200 below 1 in 10^7.
    """
    features, rewards = served(50_000)
    priors = priors_from(sums_of(features, rewards), noise=20.0)
    asked = np.array([4.0, 2.0, -2.0, 1.0])
    missed = 0
    for seed in range(200):
        found = read_bandit(noised(priors, seed=seed), MODEL)
        assert found is not None
        missed += abs(found.mean(asked) - asked @ TRUTH) > 2 * found.deviation(asked)

    assert missed <= 30


def test_noise_alone_gives_no_model() -> None:
    """The bound fails once in 1,000 at most; more than 10 of 1,000 below 1 in 10^7."""
    empty = priors_of(Contents(), noise=3.0, catalogue=WIDE)

    believed = sum(
        read_bandit(noised(empty, seed=seed), MODEL) is not None for seed in range(1000)
    )

    assert believed <= 10


def test_reader_that_ignores_the_noise_would_be_caught() -> None:
    """The test above has power: noise makes some eigenvalue positive nearly always."""
    empty = priors_of(Contents(), noise=3.0, catalogue=WIDE)
    deaf = [
        replace(noised(empty, seed=seed), noise_standard_deviation=0.0)
        for seed in range(50)
    ]

    assert sum(read_bandit(priors, MODEL) is not None for priors in deaf) > 40


def test_spectral_norm_of_the_noise_stays_below_its_bound() -> None:
    """2,000 matrices of 16 features: 2 expected at most, 13 below 1 in 10^6."""
    source = np.random.default_rng(3)
    above = 0
    for _ in range(2000):
        upper = np.triu(source.normal(0, 5.0, size=(16, 16)))
        noise = upper + np.triu(upper, 1).T
        above += float(np.linalg.norm(noise, 2)) > spectral_bound(16, 5.0)

    assert above <= 12


def test_matrix_that_noise_made_indefinite_still_gives_a_finite_model() -> None:
    """A direction that nobody's requests had is noise of either sign."""
    gram = (64 * 500, 0, 0, 0, -900, 0, 0, 300, 0, -100)
    told = priors_from(BanditSums((0,) * 10, (0,) * 4), noise=1.0)
    priors = replace(
        told,
        contents=replace(
            told.contents, bandits={MODEL: BanditSums(gram, (4000, 10, 10, 10))}
        ),
    )

    found = read_bandit(priors, MODEL)

    assert found is not None
    assert np.all(np.linalg.eigvalsh(found.covariance) > 0)
    assert np.all(np.abs(found.theta) < 1)
    assert found.regularisation > spectral_bound(4, priors.noise_of("bandit_gram"))


def test_unknown_model_and_absent_block_give_none() -> None:
    """A router must tell 'no data' from 'reward zero'."""
    assert read_bandit(priors_of(Contents()), "models/z") is None
    assert read_bandit(priors_of(Contents(), catalogue=PLAIN), MODEL) is None
    assert read_bandit(priors_of(Contents()), MODEL) is None
