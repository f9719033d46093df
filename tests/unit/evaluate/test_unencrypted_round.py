"""A round summed without encryption publishes what an encrypted one does."""

from collections.abc import Sequence

import numpy as np
import pytest

from federated_router.priors.prompt import prompt_of
from federated_router.priors.publication import Priors
from federated_router.privacy.noise import discrete_gaussian
from tests.evaluate.mmlu import Places, Questions
from tests.evaluate.sharing import plan_of, published
from tests.evaluate.unencrypted import PlainRound, noise_of, plain_round

MEMBERS = 4
EPSILON = 1.0
DEVIATIONS = 5.0
"""A standard deviation over n slots is off by one in sqrt(2 n) once in two million."""


@pytest.fixture(scope="module")
def found() -> Questions:
    """Return questions with words, numbers and kinds that differ."""
    texts = tuple(
        f"Explain why {number} of {number * 7} is not {'long ' * (number % 9)}?"
        for number in range(60)
    )
    drawn = np.random.default_rng(3).random((2, len(texts)))
    return Questions(
        prompts=tuple(prompt_of([text]) for text in texts),
        texts=texts,
        subjects=("one",) * len(texts),
        weak=(drawn[0] < 0.6).astype(float),
        strong=(drawn[1] < 0.8).astype(float),
    )


@pytest.fixture(scope="module")
def parts(found: Questions) -> list[Places]:
    """Return each member's questions, as many for each."""
    return list(np.arange(len(found.texts), dtype=np.intp).reshape(MEMBERS, -1))


@pytest.fixture(scope="module")
def plain(found: Questions, parts: list[Places]) -> PlainRound:
    """Return the round that is summed without encryption."""
    return plain_round(found, parts)


@pytest.fixture(scope="module")
def exact(plain: PlainRound) -> Priors:
    """Return the sums to which nobody added noise."""
    return plain.published(noise_of(plan_of(MEMBERS, EPSILON)), source=nothing)


def nothing(length: int, _: float) -> list[int]:
    """Return no noise."""
    return [0] * length


def slots(priors: Priors) -> np.ndarray:
    """Return every published slot."""
    return np.array(priors.catalogue.flatten(priors.contents), dtype=np.float64)


def noise_ratio(priors: Priors, exact: Priors) -> float:
    """Return the noise that is in priors by the noise that they say is in them."""
    told = np.array([priors.noise_of(one.quantity) for one in priors.catalogue.columns])
    moved = (slots(priors) - slots(exact)) / told
    return float(np.sqrt(np.mean(moved**2)))


def is_as_told(ratio: float, priors: Priors) -> bool:
    """Return whether the noise is what the priors say, as far as one draw shows."""
    return abs(ratio - 1) < DEVIATIONS / np.sqrt(2 * len(slots(priors)))


def test_sums_without_noise_are_those_of_an_encrypted_round(
    found: Questions, parts: list[Places], exact: Priors
) -> None:
    """Encryption carries whole numbers exactly: not one slot may differ."""
    encrypted = published(found, parts, plan_of(MEMBERS, EPSILON, exact=True))

    assert slots(encrypted).tolist() == slots(exact).tolist()
    assert slots(exact).sum() > 0
    assert encrypted.noise_by_block == exact.noise_by_block


def test_noise_is_that_of_an_encrypted_round(
    found: Questions, parts: list[Places], plain: PlainRound, exact: Priors
) -> None:
    """Both are noised as much as they say, and they say the same."""
    plan = plan_of(MEMBERS, EPSILON)

    encrypted = published(found, parts, plan)
    unencrypted = plain.published(noise_of(plan))

    assert encrypted.noise_by_block == unencrypted.noise_by_block
    assert is_as_told(noise_ratio(encrypted, exact), exact)
    assert is_as_told(noise_ratio(unencrypted, exact), exact)


def test_a_round_with_half_the_noise_would_be_seen(
    plain: PlainRound, exact: Priors
) -> None:
    """The comparison of noise fails where members draw half of what they owe."""
    noise = noise_of(plan_of(MEMBERS, EPSILON))

    weakened = plain.published(noise, source=halved)

    assert not is_as_told(noise_ratio(weakened, exact), exact)


def halved(length: int, sigma: float) -> Sequence[int]:
    """Return half the noise that is asked for."""
    return discrete_gaussian(length, sigma / 2)
