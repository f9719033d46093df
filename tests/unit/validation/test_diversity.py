"""How evenly requests are spread, and that noise alone fails nothing."""

import numpy as np
import pytest

from coordinator.validation.diversity import diversity
from coordinator.validation.figure import Figure
from federated_router.priors.contents import Cell, CellCounts
from tests.unit.validation.cells import cell

NOISE = 15.0
SLOTS = 28
ROUNDS = 300


def cells(
    requests: list[int], dice: np.random.Generator | None = None
) -> dict[Cell, CellCounts]:
    """Return models with so many requests each, noised where there are dice."""
    found = {}
    for number, total in enumerate(requests):
        counts = np.zeros(SLOTS, dtype=np.int64)
        counts[2] = total
        if dice is not None:
            counts += np.rint(dice.normal(0.0, NOISE, SLOTS)).astype(np.int64)
        found[cell(number)] = CellCounts(tuple(counts[:-1].tolist()), int(counts[-1]))
    return found


def test_even_spread_is_one_and_one_favourite_is_zero() -> None:
    """The ends of the scale, without noise."""
    assert diversity(cells([100, 100, 100]), noise=0.0).value == pytest.approx(1.0)
    assert diversity(cells([100, 0, 0]), noise=0.0).value == 0.0


def test_two_of_four_models_are_half_as_diverse() -> None:
    """Log 2 / log 4."""
    assert diversity(cells([50, 50, 0, 0]), noise=0.0).value == pytest.approx(0.5)


def test_only_model_is_as_even_as_it_can_be() -> None:
    """There is nothing to be spread over."""
    assert diversity(cells([100]), noise=NOISE) == Figure(1.0, 0.0)


def test_regions_of_a_model_count_together() -> None:
    """Models are compared, not cells."""
    one = CellCounts((50,), 0)
    spread = {
        Cell("models/a", "eu"): one,
        Cell("models/a", "us"): one,
        Cell("models/b", "eu"): CellCounts((100,), 0),
    }

    assert diversity(spread, noise=0.0).value == pytest.approx(1.0)


def test_models_without_requests_do_not_look_diverse_for_their_noise() -> None:
    """Nine models of noise beside one of requests."""
    dice = np.random.default_rng(1)

    found = [
        diversity(cells([5_000] + [0] * 9, dice), noise=NOISE).value for _ in range(20)
    ]

    assert max(found) < 0.1


def test_nothing_seen_fails_nothing() -> None:
    """A round of noise alone says nothing of diversity."""
    dice = np.random.default_rng(2)

    found = diversity(cells([0, 0, 0], dice), noise=NOISE)

    assert not found.below(0.99)


@pytest.mark.parametrize(
    "requests", [[2_000, 2_000, 2_000], [3_000, 1_000, 400], [5_000, 300, 200, 0]]
)
def test_diversity_does_not_fail_by_noise_alone(requests: list[int]) -> None:
    """At a threshold of exactly the truth; stated rate 1e-6, 300 rounds.

    The value itself, the broken variant, is below it in at least a fifth of them.
    """
    dice = np.random.default_rng(3)
    truth = diversity(cells(requests), noise=0.0).value
    failed = bare = 0
    for _ in range(ROUNDS):
        found = diversity(cells(requests, dice), noise=NOISE)
        failed += found.below(truth)
        bare += found.value < truth

    assert failed == 0
    assert bare > ROUNDS / 5


def test_lost_diversity_is_seen() -> None:
    """One favourite where half was asked for."""
    dice = np.random.default_rng(4)

    assert diversity(cells([50_000, 0, 0, 0], dice), noise=NOISE).below(0.5)
