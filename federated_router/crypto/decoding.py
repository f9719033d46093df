"""Find wrong values among evaluations of one polynomial (Reed-Solomon, Gao 2003).

Decides unique decoding over F_65521 by the extended Euclidean algorithm: quadratic in
the number of values, so that 1,000 holders cost milliseconds. Refuses to know what the
values stand for.
"""

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto.field import PRIME, Elements, inverse

Polynomial = Elements
"""Coefficients, the constant first, without leading zeros; zero is empty."""


def wrong_positions(
    points: Elements, values: Elements, *, coefficients: int
) -> NDArray[np.bool_] | None:
    """Return which values do not lie on the nearest polynomial.

    The polynomial has fewer than `coefficients` coefficients and may miss at most
    (len(points) - coefficients) // 2 values; None when there is none such.
    """
    vanishing = _vanishing(points)
    interpolated = _interpolated(points, values, vanishing)
    numerator, denominator = _euclid(
        vanishing, interpolated, stop=len(points) + coefficients
    )
    quotient, remainder = _divide(numerator, denominator)
    if len(remainder) or len(quotient) > coefficients:
        return None
    wrong: NDArray[np.bool_] = _evaluate(quotient, points) != values
    located_max = (len(points) - coefficients) // 2
    return wrong if int(wrong.sum()) <= located_max else None


def _euclid(
    first: Polynomial, second: Polynomial, *, stop: int
) -> tuple[Polynomial, Polynomial]:
    """Return remainder and cofactor once twice the degree is below `stop`."""
    older, newer = first, second
    older_factor = np.zeros(0, dtype=np.int64)
    newer_factor = np.ones(1, dtype=np.int64)
    while 2 * (len(newer) - 1) >= stop:
        quotient, remainder = _divide(older, newer)
        product = _multiply(quotient, newer_factor)
        older, newer = newer, remainder
        older_factor, newer_factor = newer_factor, _subtract(older_factor, product)
    return newer, newer_factor


def _vanishing(points: Elements) -> Polynomial:
    """Return the monic polynomial with the given roots."""
    product = np.ones(1, dtype=np.int64)
    for point in points:
        shifted = np.concatenate([np.zeros(1, dtype=np.int64), product])
        shifted[:-1] -= point * product
        product = shifted % PRIME
    return product


def _interpolated(
    points: Elements, values: Elements, vanishing: Polynomial
) -> Polynomial:
    """Return the polynomial through all the values.

    The sum of value * weight * vanishing / (x - point); the divisions by all the
    points run side by side as synthetic divisions, one coefficient at a time.
    """
    weights = np.ones(len(points), dtype=np.int64)
    for point in points:
        difference = (points - point) % PRIME
        weights = weights * np.where(difference == 0, 1, difference) % PRIME
    scaled = values * inverse(weights) % PRIME
    result = np.zeros(len(points), dtype=np.int64)
    carried = np.zeros(len(points), dtype=np.int64)
    for degree in range(len(points), 0, -1):
        carried = (vanishing[degree] + points * carried) % PRIME
        result[degree - 1] = int((scaled * carried % PRIME).sum()) % PRIME
    return _trimmed(result)


def _evaluate(polynomial: Polynomial, points: Elements) -> Elements:
    """Evaluate by Horner's rule."""
    result = np.zeros_like(points)
    for coefficient in polynomial[::-1]:
        result = (result * points + coefficient) % PRIME
    return result


def _divide(dividend: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Return quotient and remainder; the divisor is not zero."""
    lead = pow(int(divisor[-1]), -1, PRIME)
    remainder = dividend.copy()
    steps = max(0, len(dividend) - len(divisor) + 1)
    quotient = np.zeros(steps, dtype=np.int64)
    for shift in range(steps - 1, -1, -1):
        factor = int(remainder[shift + len(divisor) - 1]) * lead % PRIME
        quotient[shift] = factor
        window = remainder[shift : shift + len(divisor)]
        window[:] = (window - factor * divisor) % PRIME
    return _trimmed(quotient), _trimmed(remainder)


def _multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the product; one of the two is short in every use here."""
    short, long = sorted((left, right), key=len)
    product = np.zeros(max(0, len(left) + len(right) - 1), dtype=np.int64)
    for shift, coefficient in enumerate(short):
        window = product[shift : shift + len(long)]
        window[:] = (window + coefficient * long) % PRIME
    return _trimmed(product)


def _subtract(left: Polynomial, right: Polynomial) -> Polynomial:
    difference = np.zeros(max(len(left), len(right)), dtype=np.int64)
    difference[: len(left)] += left
    difference[: len(right)] -= right
    return _trimmed(difference % PRIME)


def _trimmed(polynomial: Polynomial) -> Polynomial:
    used = np.flatnonzero(polynomial)
    return polynomial[: used[-1] + 1] if len(used) else polynomial[:0]
