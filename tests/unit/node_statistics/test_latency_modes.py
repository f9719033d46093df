"""Which latencies have several modes, on a bounded sample of them."""

import random

import numpy as np
import pytest

from federated_router.federation.own_statistics import LatencyMeasure
from federated_router.priors.contents import Cell
from node.statistics.modes import SAMPLES_MIN, SIGNIFICANCE, LatencyModes, shape_of

CELL = Cell("models/a", "eu")
PER_TOKEN = LatencyMeasure.TIME_PER_TOKEN
FIRST = LatencyMeasure.TIME_TO_FIRST_TOKEN


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
        kept.add(CELL, PER_TOKEN, generator.lognormvariate(2.0, 0.3))
        kept.add(
            both, PER_TOKEN, generator.lognormvariate(generator.choice([1.0, 4.0]), 0.3)
        )

    shapes = {shape.cell: shape for shape in kept.shapes()}

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

    alarms = sum(
        shape_of(generator.random(100), cell=CELL, measure=PER_TOKEN).multimodal
        for _ in range(400)
    )

    assert alarms <= 12


def test_too_few_latencies_say_nothing() -> None:
    """Forty-nine requests are no distribution."""
    kept = modes()
    for number in range(SAMPLES_MIN - 1):
        kept.add(CELL, PER_TOKEN, 1.0 + number)
    assert kept.shapes() == []

    kept.add(CELL, PER_TOKEN, 5.0)
    assert [shape.cell for shape in kept.shapes()] == [CELL]


def test_sample_is_bounded_and_uniform_over_all_that_was_seen() -> None:
    """Early latencies must not crowd out later ones, nor the reverse.

    Of 10,000 rising values 200 stay; the mean rank of a uniform sample is 5,000 with a
    standard deviation of 2,887 / sqrt(200) = 204; 6 of those are allowed.
    """
    kept = modes()
    for number in range(10_000):
        kept.add(CELL, PER_TOKEN, float(np.exp(number / 1000)))

    logs = kept._reservoirs[CELL, PER_TOKEN].logs

    assert len(logs) == 200
    assert abs(np.mean(logs) * 1000 - 5000) < 6 * 204


def test_cells_beyond_the_limit_are_not_sampled() -> None:
    """Memory is bounded by cells as well."""
    kept = modes(cells_max=1)

    for name in ("a", "b"):
        for measure in LatencyMeasure:
            for number in range(SAMPLES_MIN):
                kept.add(Cell(f"models/{name}", "eu"), measure, 1.0 + number)

    assert [(shape.cell, shape.measure) for shape in kept.shapes()] == [
        (CELL, measure) for measure in sorted(LatencyMeasure)
    ]


@pytest.mark.parametrize("latency", [0.0, 1e-9])
def test_latency_without_a_logarithm_is_kept_as_the_least(latency: float) -> None:
    """A cached answer may take no measurable time."""
    kept = modes()
    for _ in range(SAMPLES_MIN):
        kept.add(CELL, PER_TOKEN, latency)

    (shape,) = kept.shapes()
    assert shape.samples == SAMPLES_MIN


def test_prefix_cache_shows_in_the_first_token_where_the_whole_request_hides_it() -> (
    None
):
    """Why the time to the first token is tested for itself.

    Half of the prompts are kept: 20 ms against 200 ms to the first token. Answers of
    10 to 200 tokens at some 15 ms each drown that in the time per token.
    """
    generator = random.Random(13)  # noqa: S311 - a sample
    kept = modes()
    for _ in range(200):
        first_ms = generator.lognormvariate(generator.choice([3.0, 5.3]), 0.2)
        tokens = generator.randint(10, 200)
        each_ms = generator.lognormvariate(2.7, 0.3)
        kept.add(CELL, FIRST, first_ms)
        kept.add(CELL, PER_TOKEN, (first_ms + each_ms * (tokens - 1)) / tokens)

    marks = {shape.measure: shape.multimodal for shape in kept.shapes()}

    assert marks == {FIRST: True, PER_TOKEN: False}


def test_percentiles_are_latencies_that_were_seen() -> None:
    """At least so many percent are at most the figure, and no request was invented."""
    kept = modes()
    for number in range(1, 101):
        kept.add(CELL, FIRST, float(number))

    (shape,) = kept.shapes()

    assert (shape.p50_ms, shape.p95_ms, shape.p99_ms) == pytest.approx((50, 95, 99))
