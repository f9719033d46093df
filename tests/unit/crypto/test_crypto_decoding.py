"""Decoding names exactly the wrong values of many words at once, or none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import decoding, field
from federated_router.crypto.field import PRIME, Elements

sweep = settings(max_examples=120, deadline=None)


def words_of(
    generator: np.random.Generator, points: Elements, terms: int, count: int
) -> Elements:
    """Return the values of random polynomials, by numpy's own Vandermonde matrix."""
    coefficients = generator.integers(0, PRIME, (count, terms))
    powers = np.ones((len(points), terms), dtype=np.int64)
    for power in range(1, terms):
        powers[:, power] = powers[:, power - 1] * points % PRIME
    return field.matrix_product(coefficients, powers.T)


@sweep
@given(size=st.integers(2, 40), seed=st.integers(0, 2**32), data=st.data())
def test_wrong_values_are_named_beside_erased_ones(
    size: int, seed: int, data: st.DataObject
) -> None:
    """Twice the errors and the erasures within the redundancy, each word its own."""
    generator = np.random.default_rng(seed)
    points = generator.permutation(np.arange(1, PRIME))[:size]
    terms = data.draw(st.integers(1, size))
    words = words_of(generator, points, terms, count=5)
    wrong = np.zeros(words.shape, dtype=np.bool_)
    erased = np.zeros(words.shape, dtype=np.bool_)
    for row in range(len(words)):
        gone = data.draw(st.integers(0, size - terms))
        errors = data.draw(st.integers(0, (size - terms - gone) // 2))
        order = generator.permutation(size)
        wrong[row, order[:errors]] = True
        erased[row, order[errors : errors + gone]] = True
    spoilt = (words + wrong * generator.integers(1, PRIME, words.shape)) % PRIME
    spoilt = np.where(erased, generator.integers(0, PRIME, words.shape), spoilt)

    found = decoding.wrong_positions(points, spoilt, coefficients=terms, erased=erased)

    assert found.decodable.all()
    assert np.array_equal(found.wrong, wrong)


@sweep
@given(size=st.integers(8, 40), seed=st.integers(0, 2**32), data=st.data())
def test_word_beyond_the_radius_does_not_disturb_its_neighbours(
    size: int, seed: int, data: st.DataObject
) -> None:
    """Noise beside words with errors: no position of it is called wrong."""
    generator = np.random.default_rng(seed)
    terms = data.draw(st.integers(1, size // 4))
    points = np.arange(1, size + 1)
    words = words_of(generator, points, terms, count=3)
    words[1] = generator.integers(0, PRIME, size)
    words[2, 0] = (words[2, 0] + 1) % PRIME

    found = decoding.wrong_positions(points, words, coefficients=terms)

    assert found.decodable.tolist() == [True, False, True]
    assert not found.wrong[:2].any()
    assert np.flatnonzero(found.wrong[2]).tolist() == [0]


def test_one_error_more_than_the_radius_is_never_named_as_fewer() -> None:
    """A decoder without its bound would name a set that explains nothing."""
    points = np.arange(1, 12)
    generator = np.random.default_rng(2)
    words = words_of(generator, points, 5, count=400)
    words[:, :4] = (words[:, :4] + generator.integers(1, PRIME, (400, 4))) % PRIME

    found = decoding.wrong_positions(points, words, coefficients=5)

    named = found.wrong.sum(axis=1)
    assert (named <= decoding.located_max(11, 5)).all()
    assert not found.decodable.any()


def test_zero_word_with_one_other_value_is_decoded() -> None:
    """All values zero but one: the one is wrong."""
    words = np.zeros((1, 7), dtype=np.int64)
    words[0, 3] = 9

    found = decoding.wrong_positions(np.arange(1, 8), words, coefficients=3)

    assert np.flatnonzero(found.wrong[0]).tolist() == [3]


def test_polynomial_of_one_degree_too_many_is_refused() -> None:
    """All values lie on it, and yet it is not of the family."""
    points = np.arange(1, 21)
    words = words_of(np.random.default_rng(3), points, 11, count=1)

    assert not decoding.wrong_positions(points, words, coefficients=10).decodable[0]
    assert decoding.wrong_positions(points, words, coefficients=11).decodable[0]


@pytest.mark.parametrize("gone", [4, 5, 10])
def test_word_with_too_few_values_left_is_not_decodable(gone: int) -> None:
    """Fewer values than coefficients fit anything, which proves nothing."""
    points = np.arange(1, 11)
    words = words_of(np.random.default_rng(4), points, 7, count=1)
    erased = np.zeros(words.shape, dtype=np.bool_)
    erased[0, :gone] = True

    found = decoding.wrong_positions(points, words, coefficients=7, erased=erased)

    assert not found.decodable[0]
    assert not found.wrong.any()
