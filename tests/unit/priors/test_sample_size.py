"""Small cells stay with their member, by a test that one request cannot sway much."""

import math
import random
from collections.abc import Sequence

import pytest

from federated_router.priors.contents import Cell
from federated_router.priors.sample_size import cells_to_take
from federated_router.privacy.noise import NoiseSource

CELLS = tuple(Cell(f"models/{name}", "eu") for name in "abc")
DRAWS = 20_000


def exactly(*errors: int) -> NoiseSource:
    """Return noise that is as told, and refuses to be asked for another length."""

    def noise(length: int, sigma: float) -> Sequence[int]:
        assert (length, sigma) == (len(errors), 8.0)
        return errors

    return noise


def test_noised_count_decides_and_not_the_count() -> None:
    """The boundary belongs to what is taken; noise may carry a cell over either way."""
    requests = dict(zip(CELLS, (100, 100, 99), strict=True))

    taken = cells_to_take(
        requests, samples_min=100, noise_scale=8.0, noise=exactly(0, -1, 1)
    )

    assert taken == {CELLS[0], CELLS[2]}


def test_no_minimum_takes_every_cell_and_draws_nothing() -> None:
    """Without a test there is nothing to pay for."""

    def refuse(_: int, __: float) -> Sequence[int]:
        raise AssertionError

    taken = cells_to_take(
        dict.fromkeys(CELLS, 1), samples_min=0, noise_scale=8.0, noise=refuse
    )

    assert taken == set(CELLS)


def test_member_without_requests_takes_nothing() -> None:
    """Its contribution is noise alone, like that of a member that kept all back."""
    assert cells_to_take({}, samples_min=100, noise_scale=8.0) == frozenset()


def _share_taken(requests: int) -> float:
    """Return the part of DRAWS cells with so many requests that is taken."""
    cells = {Cell(f"models/m{number}", "eu"): requests for number in range(DRAWS)}
    return len(cells_to_take(cells, samples_min=100, noise_scale=8.0)) / DRAWS


@pytest.mark.parametrize("requests", [92, 100, 108])
def test_cells_are_taken_as_often_as_the_noise_says(requests: int) -> None:
    """P(n + N >= 100) of a Gaussian of 8, over 20,000 draws of the real noise.

    The share lies within 5 standard errors but for one run in 1.7 million; the noise
    being whole adds half a request. A hard test would give 0 or 1.
    """
    expected = 0.5 * math.erfc((100 - requests - 0.5) / (8.0 * math.sqrt(2)))

    assert abs(_share_taken(requests) - expected) < 5 * math.sqrt(0.25 / DRAWS)


def test_one_request_hardly_changes_how_often_a_cell_is_taken() -> None:
    """At noise 8 the shares of 99 and of 100 requests have a log ratio of 0.1.

    Its standard error over 20,000 draws is 0.01, so 0.16 is exceeded once in 10^9 runs.
    A hard threshold takes none of 99 and all of 100, whose ratio has no bound.
    """
    before, after = _share_taken(99), _share_taken(100)

    assert abs(math.log(after / before)) < 0.16


def test_every_cell_has_noise_of_its_own() -> None:
    """One draw for all cells would tell, by one cell, how the others were decided."""
    source = random.Random(4)  # noqa: S311 - a harness, not a release.
    asked: list[int] = []

    def noise(length: int, sigma: float) -> Sequence[int]:
        asked.append(length)
        return [round(source.gauss(0, sigma)) for _ in range(length)]

    outcomes = {
        cells_to_take(
            dict.fromkeys(CELLS, 100), samples_min=100, noise_scale=8.0, noise=noise
        )
        for _ in range(200)
    }

    assert set(asked) == {len(CELLS)}
    assert len(outcomes) == 2 ** len(CELLS)
