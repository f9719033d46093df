"""Each slot gets the noise of its own factor: none more, none less, none shared."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from federated_router.federation.contribution import (
    build_body,
    slot_noise,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import discrete_gaussian

LAYOUT = Catalogue(
    version=1,
    models=("models/a",),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 2.0),
    slot_max=10,
    blocks=tuple(Block),
    patterns=("code",),
    features=2,
)


def test_every_slot_is_drawn_once_at_its_factor() -> None:
    """The source counts up, so each drawn number shows where it went."""
    asked: list[tuple[int, float]] = []
    drawn: list[int] = []

    def noise(length: int, sigma: float) -> Sequence[int]:
        asked.append((length, sigma))
        told = [int(10_000 * sigma) + at for at in range(length)]
        drawn.extend(told)
        return told

    found = slot_noise(LAYOUT.noise_factors, sigma=2.0, noise=noise)

    assert sorted(found.tolist()) == sorted(drawn)
    assert len(set(drawn)) == LAYOUT.statistic_slots
    assert sum(length for length, _ in asked) == LAYOUT.statistic_slots
    for value, factor in zip(found.tolist(), LAYOUT.noise_factors, strict=True):
        assert value // 10_000 == 2 * factor


def _spread(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))


@pytest.mark.parametrize("factor", sorted(set(LAYOUT.noise_factors)))
def test_noise_of_each_factor_has_its_deviation(factor: int) -> None:
    """4,000 draws of the real sampler: 1.1 % standard error, so 6 % is five of them."""
    found = slot_noise([factor] * 4000, sigma=2.0, noise=discrete_gaussian)

    assert abs(_spread(found) / (2.0 * factor) - 1) < 0.06


def test_one_noise_for_all_slots_would_be_caught() -> None:
    """The test above has power: without factors a step of energy would be naked."""
    found = slot_noise([1] * 4000, sigma=2.0, noise=discrete_gaussian)

    assert abs(_spread(found) / (2.0 * 64) - 1) > 0.9


def test_slots_of_one_factor_are_independent() -> None:
    """The correlation of 4,000 pairs lies within five standard errors of zero."""
    found = slot_noise([3] * 8000, sigma=2.0, noise=discrete_gaussian)
    pairs = found.astype(np.float64).reshape(-1, 2)

    correlation = float(np.mean(pairs[:, 0] * pairs[:, 1]) / np.mean(pairs**2))

    assert abs(correlation) < 5 / math.sqrt(len(pairs))


def test_vector_and_factors_of_two_layouts_are_refused() -> None:
    """One factor too few would leave the last slots without noise."""
    with pytest.raises(FieldInvalid, match="one noise factor"):
        build_body(
            [0] * 5,
            sigma=2.0,
            noise_factors=[1] * 4,
            own=None,  # type: ignore[arg-type]
            keys=None,  # type: ignore[arg-type]
            roster=None,  # type: ignore[arg-type]
        )
