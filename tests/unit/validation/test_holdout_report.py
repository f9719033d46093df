"""What members' own requests say of the priors before."""

import numpy as np
import pytest

from coordinator.validation.holdout import harmful, holdout
from coordinator.validation.report import HoldoutReport
from federated_router.federation.holdout import STEPS_PER_NAT
from federated_router.priors.contents import HoldoutSums

REQUESTS_NOISE = 30.0
ADVANTAGE_NOISE = 2_000.0
ROUNDS = 300


def report(requests: int, advantage: float, **noises: float) -> HoldoutReport:
    """Return the report of so many requests with this mean advantage in nats."""
    sums = HoldoutSums(requests, round(requests * advantage * STEPS_PER_NAT))
    return holdout(
        sums,
        requests_noise=noises.get("requests_noise", REQUESTS_NOISE),
        advantage_noise=noises.get("advantage_noise", ADVANTAGE_NOISE),
        samples_min=100,
    )


def test_advantage_is_the_mean_in_nats() -> None:
    """Of sums in steps."""
    found = report(10_000, 0.25)

    assert found.advantage == pytest.approx(0.25)
    assert found.conclusive


@pytest.mark.parametrize("requests", [-50, 0, 99, 149])
def test_requests_that_noise_could_feign_say_nothing(requests: int) -> None:
    """Below the minimum, or five deviations of the noise."""
    found = report(requests, 1.0)

    assert not found.conclusive
    assert found.advantage == 0.0
    assert found.requests >= 0


def test_noisy_advantage_is_reported_and_not_conclusive() -> None:
    """A deviation beyond a tenth of a nat."""
    found = report(1_000, 0.25)

    assert found.advantage_standard_deviation > 0.1
    assert not found.conclusive


def test_stated_deviation_is_that_of_the_noise() -> None:
    """Of 2,000 rounds; the deviation of a deviation is 1.6 %, five are allowed."""
    dice = np.random.default_rng(1)
    values = []
    for _ in range(2_000):
        sums = HoldoutSums(
            round(5_000 + dice.normal(0, REQUESTS_NOISE)),
            round(5_000 * 0.5 * STEPS_PER_NAT + dice.normal(0, ADVANTAGE_NOISE)),
        )
        found = holdout(
            sums,
            requests_noise=REQUESTS_NOISE,
            advantage_noise=ADVANTAGE_NOISE,
            samples_min=100,
        )
        values.append(found.advantage)

    stated = report(5_000, 0.5).advantage_standard_deviation
    assert float(np.std(values)) == pytest.approx(stated, rel=0.08)


def test_priors_are_harmful_only_beyond_noise_and_chance() -> None:
    """Equal predictions are never called harm; the bare sign does every other time."""
    dice = np.random.default_rng(2)
    called = negative = 0
    for _ in range(ROUNDS):
        noised = dice.normal(0, ADVANTAGE_NOISE) / STEPS_PER_NAT / 5_000
        found = report(5_000, noised)
        called += harmful(found, advantage_min=0.0)
        negative += found.advantage < 0

    assert called == 0
    assert negative > ROUNDS / 3


def test_plainly_worse_priors_are_called_harmful() -> None:
    """Half a nat worse over many requests."""
    assert harmful(report(50_000, -0.5), advantage_min=0.0)
    assert not harmful(report(50_000, -0.5), advantage_min=-0.6)
    assert not harmful(report(120, -3.0), advantage_min=0.0)
