"""F_65521 is computed exactly, and decoding names what is wrong."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import field
from federated_router.crypto.field import PRIME
from federated_router.crypto.ring import RandomBytes


def horner(coefficients: list[int], point: int) -> int:
    """Evaluate with Python's own integers: the oracle."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % PRIME
    return value


def test_inverse_times_element_is_one_for_every_element() -> None:
    """All of them: the field is small enough to look."""
    elements = np.arange(1, PRIME, dtype=np.int64)

    assert (field.inverse(elements) * elements % PRIME == 1).all()


def test_matrix_product_is_exact_for_the_largest_elements() -> None:
    """float64 carries 1,500 products of 65,520 squared without rounding."""
    left = np.full((2, 1500), PRIME - 1, dtype=np.int64)

    product = field.matrix_product(left, left.T)

    assert (product == 1500 % PRIME).all()


@settings(max_examples=50, deadline=None)
@given(
    coefficients=st.lists(st.integers(0, PRIME - 1), min_size=1, max_size=12),
    data=st.data(),
)
def test_interpolation_moves_values_between_points(
    coefficients: list[int], data: st.DataObject
) -> None:
    """Known points may be wanted as well."""
    distinct = st.lists(
        st.integers(0, PRIME - 1), min_size=16, max_size=16, unique=True
    )
    points = data.draw(distinct)
    known = np.array(points[: len(coefficients)])
    wanted = np.array(points)
    values = np.array([[horner(coefficients, int(p))] for p in known])

    moved = field.matrix_product(field.interpolation(known, wanted), values)

    assert moved[:, 0].tolist() == [horner(coefficients, int(p)) for p in wanted]


def test_samples_are_uniform_and_below_the_prime(
    replay: Callable[[str], RandomBytes],
) -> None:
    """Chi-square over 256 bins; error rate 1e-6 for fresh bytes, replayed here."""
    samples = field.sample(200_000, random_bytes=replay("field"))

    observed = np.bincount(samples * 256 // PRIME, minlength=256)
    width = np.bincount(np.arange(PRIME) * 256 // PRIME) / PRIME
    assert samples.max() < PRIME
    assert stats.chisquare(observed, width * len(samples)).pvalue > 1e-6


def test_words_beyond_the_prime_are_drawn_again() -> None:
    """Taking them modulo the prime would favour small elements."""
    stream = iter([b"\xff\xff\x05\x00", b"\xf1\xff", b"\xf0\xff"])

    samples = field.sample(2, random_bytes=lambda _: next(stream))

    assert samples.tolist() == [5, PRIME - 1]


def test_elements_are_centred_around_zero() -> None:
    """The upper half of the field stands for negative numbers."""
    elements = np.array([0, 1, PRIME // 2, PRIME // 2 + 1, PRIME - 1])

    centred = field.centred(elements)

    assert centred.tolist() == [0, 1, PRIME // 2, -(PRIME // 2), -1]
