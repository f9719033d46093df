"""Which latencies have several modes, on a bounded sample of them."""

import random

import numpy as np
import pytest

from federated_router.priors.contents import Cell
from node.statistics.modes import SAMPLES_MIN, SIGNIFICANCE, LatencyModes, shape_of

CELL = Cell("models/a", "eu")


def modes(*, samples_max: int = 200, cells_max: int = 4) -> LatencyModes:
    """Return an empty sample with a seeded choice."""
    return LatencyModes(
        samples_max=samples_max,
        cells_max=cells_max,
        generator=random.Random(5),  # noqa: S311
    )


def test_two_modes_are_seen_and_one_is_not() -> None:
    """A cache that hits half of the time, beside a model that is merely noisy."""
    generator = random.Random(7)  # noqa: S311 - a sample
    kept = modes()
    both = Cell("models/b", "eu")
    for _ in range(200):
        kept.add(CELL, generator.lognormvariate(2.0, 0.3))
        kept.add(both, generator.lognormvariate(generator.choice([1.0, 4.0]), 0.3))

    shapes = kept.shapes()

    assert not shapes[CELL].multimodal
    assert shapes[both].multimodal
    assert shapes[both].p_value < SIGNIFICANCE < shapes[CELL].p_value
    assert shapes[both].dip > shapes[CELL].dip
    assert shapes[both].samples == 200


def test_one_mode_is_called_two_no_more_often_than_stated() -> None:
    """False alarms: at most 12 of 400 uniform samples at a rate of 0.01.

    Uniform is the worst case of the test. Exceeding 12 by chance has a probability of
    4e-4 at the stated rate; the seed is fixed.
    """
    generator = np.random.default_rng(11)

    alarms = sum(shape_of(generator.random(100)).multimodal for _ in range(400))

    assert alarms <= 12


def test_too_few_latencies_say_nothing() -> None:
    """Forty-nine requests are no distribution."""
    kept = modes()
    for number in range(SAMPLES_MIN - 1):
        kept.add(CELL, 1.0 + number)
    assert kept.shapes() == {}

    kept.add(CELL, 5.0)
    assert set(kept.shapes()) == {CELL}


def test_sample_is_bounded_and_uniform_over_all_that_was_seen() -> None:
    """Early latencies must not crowd out later ones, nor the reverse.

    Of 10,000 rising values 200 stay; the mean rank of a uniform sample is 5,000 with a
    standard deviation of 2,887 / sqrt(200) = 204; 6 of those are allowed.
    """
    kept = modes()
    for number in range(10_000):
        kept.add(CELL, float(np.exp(number / 1000)))

    logs = kept._reservoirs[CELL].logs

    assert len(logs) == 200
    assert abs(np.mean(logs) * 1000 - 5000) < 6 * 204


def test_cells_beyond_the_limit_are_not_sampled() -> None:
    """Memory is bounded by cells as well."""
    kept = modes(cells_max=1)

    for name in ("a", "b"):
        for number in range(SAMPLES_MIN):
            kept.add(Cell(f"models/{name}", "eu"), 1.0 + number)

    assert set(kept.shapes()) == {Cell("models/a", "eu")}


@pytest.mark.parametrize("latency", [0.0, 1e-9])
def test_latency_without_a_logarithm_is_kept_as_the_least(latency: float) -> None:
    """A cached answer may take no measurable time."""
    kept = modes()
    for _ in range(SAMPLES_MIN):
        kept.add(CELL, latency)

    assert kept.shapes()[CELL].samples == SAMPLES_MIN
