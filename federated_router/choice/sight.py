"""What the choice sees of a prompt: the federation's features, words and pattern.

Decides the features for words: each word's first six letters move one of a fixed number
of features up or down, as a hash says (signed feature hashing, Weinberger et al. 2009),
and the vector is drawn to length 1. They are this router's alone: noise that hides a
request would hide them in the federation's sums. Refuses to know models and rewards.
Keeps no text.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NAMES,
    WORDS,
    features_of,
)
from federated_router.priors.patterns import pattern_of
from federated_router.priors.prompt import Prompt

STEM: Final = 6
"""Letters of a word that are looked at: most endings are beyond them."""

_DOWN: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Sight:
    """A prompt as numbers; `places` and `values` are the entries that are not 0.

    Both have the shape (entries,), the federation's features first, in FEATURE_NAMES'
    order, then those of words.
    """

    features: tuple[int, ...] = field(repr=False)
    places: NDArray[np.intp] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    pattern: str

    @property
    def named(self) -> tuple[tuple[str, float], ...]:
        """The features with their names; those of words have none."""
        return tuple(
            (name, float(value))
            for name, value in zip(FEATURE_NAMES, self.features, strict=True)
        )


def sight_of(prompt: Prompt, *, word_features: int) -> Sight:
    """Return what is seen of a prompt; `word_features` of 0 sees no words."""
    features = features_of(prompt)
    words = _words(prompt.text, word_features) if word_features else {}
    length = math.sqrt(sum(move * move for move in words.values())) or 1.0
    places = [*range(FEATURE_COUNT), *(FEATURE_COUNT + place for place in words)]
    values = [*features, *(move / length for move in words.values())]
    return Sight(
        features=features,
        places=np.array(places, dtype=np.intp),
        values=np.array(values, dtype=np.float64),
        pattern=pattern_of(prompt),
    )


def last_seen(word_features: int) -> Callable[[Prompt], Sight]:
    """Return `sight_of` that remembers its last prompt: it is asked for it again."""

    @lru_cache(maxsize=1)
    def see(prompt: Prompt) -> Sight:
        return sight_of(prompt, word_features=word_features)

    return see


def _words(text: str, width: int) -> dict[int, int]:
    """Return how far each feature is moved by the different words of a text."""
    moved: dict[int, int] = {}
    for stem in dict.fromkeys(word[:STEM] for word in WORDS.findall(text.lower())):
        drawn = zlib.crc32(stem.encode("utf-8", errors="replace"))
        place = (drawn & (_DOWN - 1)) % width
        moved[place] = moved.get(place, 0) + (-1 if drawn & _DOWN else 1)
    return {place: move for place, move in moved.items() if move}
