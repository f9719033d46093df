"""Large rosters are computed block by block: the same results, in bounded memory."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from federated_router.crypto import dealing_verdict, decoding, field, opening
from federated_router.crypto.field import PRIME, Elements
from federated_router.crypto.packed_shamir import CHECKS, Thresholds
from federated_router.crypto.stacked_checks import StackedChecks

HOLDERS = 320
MEGABYTE = 1e6


def evaluations(generator: np.random.Generator, terms: int, count: int) -> Elements:
    """Return random polynomials' values at 1..HOLDERS, shape (count, HOLDERS)."""
    points = np.arange(1, HOLDERS + 1)
    powers = np.ones((terms, HOLDERS), dtype=np.int64)
    for power in range(1, terms):
        powers[power] = powers[power - 1] * points % PRIME
    coefficients = generator.integers(0, PRIME, (count, terms))
    return field.matrix_product(coefficients, powers)


@pytest.fixture
def measured() -> Iterator[None]:
    """Count memory from here on."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_wrong_values_are_found_in_every_block() -> None:
    """Each word has an error of its own place, in more words than fit one block."""
    words = evaluations(np.random.default_rng(1), 8, 2 * decoding.WORDS_TOGETHER + 7)
    places = np.arange(len(words)) % HOLDERS
    words[np.arange(len(words)), places] += 1
    words %= PRIME

    found = decoding.wrong_positions(
        np.arange(1, HOLDERS + 1), words.astype(np.uint16), coefficients=8
    )

    assert found.decodable.all()
    assert np.array_equal(found.wrong.argmax(axis=1), places)
    assert (found.wrong.sum(axis=1) == 1).all()


def test_interpolation_of_many_points_gives_the_polynomial() -> None:
    """Known points among the wanted ones included."""
    points = np.arange(1, HOLDERS + 1)
    values = evaluations(np.random.default_rng(2), 9, 1)[0]

    matrix = field.interpolation(points[40:49], points)

    assert np.array_equal(
        field.matrix_product(matrix, values[40:49, None])[:, 0], values
    )


@pytest.mark.usefixtures("measured")
def test_memory_of_a_verdict_is_that_of_the_checks() -> None:
    """A thousand members' checks are 8 MB; as 64-bit words side by side, 130 MB."""
    thresholds = Thresholds.for_roster(HOLDERS)
    words = evaluations(
        np.random.default_rng(3), thresholds.reconstruct, HOLDERS * CHECKS
    ).astype(np.uint16)
    told = words.reshape(HOLDERS, CHECKS, HOLDERS)
    checks = {holder + 1: told[:, :, holder].copy() for holder in range(HOLDERS)}
    checks_bytes = words.nbytes
    del words, told
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()

    stacked = StackedChecks.of(checks, HOLDERS, thresholds)
    found = dealing_verdict.verdict(stacked, range(1, HOLDERS + 1))

    _, peak = tracemalloc.get_traced_memory()
    assert not found.inconsistent | found.dropped | found.liars
    assert peak - before < 6 * checks_bytes + 2 * MEGABYTE


@pytest.mark.usefixtures("measured")
def test_memory_of_an_opening_is_that_of_its_matrix() -> None:
    """One row for each holder beyond those that suffice, and no copies of all rows."""
    thresholds = Thresholds.for_roster(HOLDERS)
    packed = evaluations(
        np.random.default_rng(4), thresholds.reconstruct, thresholds.columns
    )
    points = np.arange(1, HOLDERS + 1)
    believed = np.ones(HOLDERS, dtype=np.bool_)
    values = packed.T.copy()
    values[-1, 0] = (values[-1, 0] + 1) % PRIME
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()

    agrees = opening._agreeing(points, values, believed, thresholds.reconstruct)

    _, peak = tracemalloc.get_traced_memory()
    assert np.flatnonzero(~agrees).tolist() == [HOLDERS - 1]
    whole_bytes = HOLDERS * thresholds.reconstruct * 8
    assert peak - before < 4 * whole_bytes
