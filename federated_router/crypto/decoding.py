"""Find wrong values among evaluations of polynomials (Reed-Solomon), many at once.

Decides unique decoding over F_65521 of errors and erasures: syndromes, Forney's change
of them for erasures, then Berlekamp's and Massey's shortest recurrence for all words
side by side, then the roots of its polynomial (Massey 1969; Roth 2006, chapter 6).
Refuses to know what the values stand for.

Words without an error cost one product of matrices; 1,000 words of 1,000 values with
167 errors in each cost two seconds. Memory is that of WORDS_TOGETHER words and a bit
for each value, however many words there are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto import field
from federated_router.crypto.field import PRIME, Elements

Flags = NDArray[np.bool_]
Words = NDArray[np.integer]
"""Elements in any type of integers that holds them."""

WORDS_TOGETHER: Final = 128
"""Words that are decoded side by side: a few megabytes where they are long."""


@dataclass(frozen=True, slots=True)
class Located:
    """What was found: `wrong` positions, shape (words, points), of `decodable` words.

    A word that is too far from every polynomial is not decodable, and none of its
    positions is called wrong; nor is an erased one.
    """

    wrong: Flags
    decodable: Flags


def located_max(points: int, coefficients: int) -> int:
    """Return how many wrong values among so many are certain to be found."""
    return max(0, (points - coefficients) // 2)


def wrong_positions(
    points: Elements,
    words: Words,
    *,
    coefficients: int,
    erased: Flags | None = None,
) -> Located:
    """Return which values do not lie on each word's nearest polynomial.

    Args:
        points: distinct and not 0, shape (points,).
        words: values at these points, shape (words, points).
        coefficients: how many the polynomials have at most; at most len(points).
        erased: which values say nothing, in the shape of `words`; none by default.
    """
    nothing = np.zeros(words.shape, dtype=np.bool_) if erased is None else erased
    checks = _checks(points, coefficients)
    wrong = np.zeros(words.shape, dtype=np.bool_)
    decodable = np.zeros(len(words), dtype=np.bool_)
    for start in range(0, len(words), WORDS_TOGETHER):
        block = slice(start, start + WORDS_TOGETHER)
        found = _located(points, words[block], checks, nothing[block])
        wrong[block], decodable[block] = found.wrong, found.decodable
    return Located(wrong, decodable)


def _located(
    points: Elements, words: Words, checks: Elements, erased: Flags
) -> Located:
    left = checks.shape[1] - erased.sum(axis=1)
    known = np.where(erased, 0, words.astype(np.int64))
    syndromes = _without_erased(field.matrix_product(known, checks), points, erased)
    wrong = np.zeros(words.shape, dtype=np.bool_)
    decodable = (left >= 0) & ~syndromes.any(axis=1)
    suspect = np.flatnonzero((left >= 0) & ~decodable)
    if len(suspect):
        recurrences = _shortest_recurrences(syndromes[suspect], left[suspect])
        roots = _roots(recurrences.current, points) & ~erased[suspect]
        found = roots.sum(axis=1) == recurrences.lengths
        found &= 2 * recurrences.lengths <= left[suspect]
        wrong[suspect[found]] = roots[found]
        decodable[suspect] = found
    return Located(wrong, decodable)


def _checks(points: Elements, coefficients: int) -> Elements:
    """Return weight * point^k, shape (points, k): what takes words to syndromes.

    Syndromes are all 0 exactly for right words.
    """
    weights = np.ones(len(points), dtype=np.int64)
    for point in points:
        difference = (points - point) % PRIME
        weights = weights * np.where(difference == 0, 1, difference) % PRIME
    row = field.inverse(weights)
    rows = np.empty((len(points) - coefficients, len(points)), dtype=np.int64)
    for power in range(len(rows)):
        rows[power] = row
        row = row * points % PRIME
    return rows.T


def _without_erased(syndromes: Elements, points: Elements, erased: Flags) -> Elements:
    """Return syndromes to which erased positions add nothing, behind them zeros.

    The product with the polynomial that has the erased positions as roots, from the
    first place on where all its terms count.
    """
    missing = erased.sum(axis=1)
    order = np.argsort(~erased, axis=1, kind="stable")
    for turn in range(min(int(missing.max(initial=0)), syndromes.shape[1])):
        rows = np.flatnonzero(missing > turn)
        root = points[order[rows, turn]][:, None]
        later, earlier = syndromes[rows, 1:], syndromes[rows, :-1]
        syndromes[rows, :-1] = (later - root * earlier) % PRIME
        syndromes[rows, -1] = 0
    return syndromes


@dataclass(frozen=True, slots=True)
class _Recurrences:
    """Connection polynomials of many sequences, constants first, and their lengths.

    `earlier` are the polynomials before each last change of length, `gaps` what they
    then missed by, and `ages` the steps since.
    """

    current: Elements
    lengths: Elements
    earlier: Elements
    gaps: Elements
    ages: Elements

    @classmethod
    def start(cls, rows: int, width: int) -> "_Recurrences":
        """Return polynomials 1 of length 0."""
        units = np.zeros((rows, width), dtype=np.int64)
        units[:, 0] = 1
        ones = np.ones(rows, dtype=np.int64)
        return cls(units, 0 * ones, units.copy(), ones, ones.copy())


def _shortest_recurrences(syndromes: Elements, known: Elements) -> _Recurrences:
    """Return the shortest linear recurrence of each row's first `known` syndromes.

    One that is longer than half of the longest row has no meaningful polynomial.
    """
    rows, steps = len(syndromes), int(known.max())
    most = steps // 2
    state = _Recurrences.start(rows, most + 1)
    for step in range(steps):
        window = syndromes[:, max(0, step - most) : step + 1][:, ::-1]
        used = min(window.shape[1], int(state.lengths.max()) + 1)
        products = state.current[:, :used] * window[:, :used] % PRIME
        gaps = products.sum(axis=1) % PRIME
        missed = np.flatnonzero((gaps != 0) & (state.lengths <= most) & (known > step))
        _correct(state, missed, gaps[missed], step)
        state.ages[:] += 1
    return state


def _correct(state: _Recurrences, rows: Elements, gaps: Elements, step: int) -> None:
    """Make the recurrences of some rows hold for the syndrome that they missed."""
    before = state.current[rows]
    factors = gaps * field.inverse(state.gaps[rows]) % PRIME
    shifted = _shifted(state.earlier[rows], state.ages[rows])
    state.current[rows] = (before - factors[:, None] * shifted) % PRIME
    longer = 2 * state.lengths[rows] <= step
    grown = rows[longer]
    state.earlier[grown] = before[longer]
    state.gaps[grown] = gaps[longer]
    state.lengths[grown] = step + 1 - state.lengths[grown]
    state.ages[grown] = 0


def _shifted(polynomials: Elements, by: Elements) -> Elements:
    """Return each polynomial times its own power of x, cut to the same width."""
    width = polynomials.shape[1]
    source = np.arange(width)[None, :] - by[:, None]
    taken = np.take_along_axis(polynomials, np.maximum(source, 0), axis=1)
    return np.where(source >= 0, taken, 0)


def _roots(locators: Elements, points: Elements) -> Flags:
    """Return where each polynomial is 0 at the inverse of a point."""
    powers = np.ones((locators.shape[1], len(points)), dtype=np.int64)
    at = field.inverse(points)
    for degree in range(1, len(powers)):
        powers[degree] = powers[degree - 1] * at % PRIME
    roots: Flags = field.matrix_product(locators, powers) == 0
    return roots
