"""A request as sixteen small whole numbers, for a linear model of reward.

Decides the features, their units and their order: routers of one federation add up
products of them, so all must compute the same numbers from the same text. Nothing is
downloaded or learnt. Refuses to know models, rewards and slots.

The last six are signed feature hashing (Weinberger et al. 2009) of byte 4-grams, cut
to -1, 0 and 1: each 4-gram moves one of them up or down, as a table drawn from
SHAKE-256 says. The squared length of a vector is at most FEATURE_NORM**2 by
construction: 16 + 4 + 4 + 9 + 9 + 4 + 1 + 4 + 6 = 57 of 64.
"""

import hashlib
from typing import Final

import numpy as np

from federated_router.priors.marks import code_marks, mathematics_marks
from federated_router.priors.prompt import Prompt

FEATURES_VERSION: Final = 1
"""Enters the catalogue's digest; grows whenever any text gets other numbers."""

FEATURE_NAMES: Final = (
    "bias",
    "short",
    "medium",
    "long",
    "turns",
    "code",
    "mathematics",
    "foreign",
    "question",
    "digits",
    *(f"hash_{index}" for index in range(6)),
)

FEATURE_COUNT: Final = len(FEATURE_NAMES)

FEATURE_NORM: Final = 8
"""R: no feature vector is longer, in the L2 norm."""

REWARD_MAX: Final = 8
"""A reward of 1 in steps; rewards are 0 to REWARD_MAX."""

_BIAS = 4
_SHORT_CHARACTERS = 200
_MEDIUM_CHARACTERS = 2000
_LENGTH = 2
_MARKS_MAX = 3
_TENTHS = 10
_ASCII_END = 128
_HASHED = 6
_GRAM_BYTES = 4
_TABLE_BITS = 16
_MULTIPLIER = np.uint32(0x9E3779B1)
"""Knuth's multiplicative constant: spreads 4-grams over the table."""


def _table() -> np.ndarray:
    """Return for each entry which feature it moves up (0..5) or down (6..11)."""
    size = 1 << _TABLE_BITS
    drawn = hashlib.shake_256(b"federated-router features 1").digest(size)
    content = np.frombuffer(drawn, dtype=np.uint8)
    return (content >> 1) % _HASHED + (content & 1) * _HASHED


_MOVES = _table()


def features_of(prompt: Prompt) -> tuple[int, ...]:
    """Return the FEATURE_COUNT features of a prompt, in the order of FEATURE_NAMES."""
    text, lower = prompt.text, prompt.text.lower()
    octets = np.frombuffer(text.encode("utf-8", errors="replace"), dtype=np.uint8)
    ascii_characters = int(np.count_nonzero(octets < _ASCII_END))
    digits = int(np.count_nonzero((octets >= ord("0")) & (octets <= ord("9"))))
    return (
        _BIAS,
        *_length(prompt.characters),
        _LENGTH if prompt.turns > 1 else 0,
        min(code_marks(lower), _MARKS_MAX),
        min(mathematics_marks(lower), _MARKS_MAX),
        _tenths(len(text) - ascii_characters, len(text)),
        int("?" in text),
        _tenths(digits, len(text)),
        *_hashed(octets),
    )


def _length(characters: int) -> tuple[int, int, int]:
    if characters < _SHORT_CHARACTERS:
        return _LENGTH, 0, 0
    if characters < _MEDIUM_CHARACTERS:
        return 0, _LENGTH, 0
    return 0, 0, _LENGTH


def _tenths(part: int, whole: int) -> int:
    """Return 0, 1 from a tenth and 2 from two tenths of the whole on."""
    return min(part * _TENTHS // whole, 2) if whole else 0


def _hashed(octets: np.ndarray) -> tuple[int, ...]:
    """Return the signs of the hashed sums; 0 where a sum is small for its length."""
    grams = len(octets) - _GRAM_BYTES + 1
    if grams < 1:
        return (0,) * _HASHED
    words = np.zeros(grams, dtype=np.uint32)
    for offset in range(_GRAM_BYTES):
        words |= octets[offset : offset + grams].astype(np.uint32) << np.uint32(
            8 * offset
        )
    index = (words * _MULTIPLIER) >> np.uint32(32 - _TABLE_BITS)
    moves = np.bincount(_MOVES[index], minlength=2 * _HASHED)
    sums = moves[:_HASHED] - moves[_HASHED:]
    return tuple(_sign(int(total), grams) for total in sums)


def _sign(total: int, grams: int) -> int:
    """Return the sign of a sum of about grams / 6 signs, or 0 below half its spread."""
    if 4 * _HASHED * total * total < grams:
        return 0
    return 1 if total > 0 else -1
