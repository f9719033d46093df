"""What the choice sees of a prompt: the federation's features, words and pattern.

Decides the features for words: each word's first six letters move one of a fixed number
of features up or down, as a hash says (signed feature hashing, Weinberger et al. 2009),
and the vector is drawn to length 1. They are this router's alone: noise that hides a
request would hide them in the federation's sums. Refuses to know models and rewards.
Keeps no text.
"""

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NAMES,
    features_read,
)
from federated_router.priors.patterns import pattern_read
from federated_router.priors.prompt import Prompt
from federated_router.priors.reading import reading_of

EMBEDDING: Final = "embedding"
STEM: Final = 6
"""Letters of a word that are looked at: most endings are beyond them."""

_DOWN: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Sight:
    """A prompt as numbers; `places` and `values` are the entries that are not 0.

    Both have the shape (entries,), the federation's features first, in FEATURE_NAMES'
    order, then those of words, then of an embedding. `unembedded` is the key of an
    embedding that is not here yet.
    """

    features: tuple[int, ...] = field(repr=False)
    places: NDArray[np.intp] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    pattern: str
    embedded: bool = False
    unembedded: bytes = field(default=b"", repr=False)

    @property
    def named(self) -> tuple[tuple[str, float], ...]:
        """The features with their names; words and an embedding's numbers have none.

        Whether there is an embedding stands last, where there could be one.
        """
        named = [
            (name, float(value))
            for name, value in zip(FEATURE_NAMES, self.features, strict=True)
        ]
        if self.embedded or self.unembedded:
            named.append((EMBEDDING, float(self.embedded)))
        return tuple(named)

    def with_embedding(self, embedding: NDArray[np.float32], *, place: int) -> "Sight":
        """Return the sight with an embedding, whose numbers stand from `place` on.

        The first of them is 1: there is one.
        """
        places = np.arange(place, place + len(embedding) + 1, dtype=np.intp)
        return replace(
            self,
            places=np.concatenate((self.places, places)),
            values=np.concatenate((self.values, (1.0,), embedding)),
            embedded=True,
            unembedded=b"",
        )


def sight_of(prompt: Prompt, *, word_features: int) -> Sight:
    """Return what is seen of a prompt; `word_features` of 0 sees no words."""
    reading = reading_of(prompt)
    features = features_read(reading)
    words = _words(reading.distinct, word_features) if word_features else {}
    length = math.sqrt(sum(move * move for move in words.values())) or 1.0
    places = [*range(FEATURE_COUNT), *(FEATURE_COUNT + place for place in words)]
    values = [*features, *(move / length for move in words.values())]
    return Sight(
        features=features,
        places=np.array(places, dtype=np.intp),
        values=np.array(values, dtype=np.float64),
        pattern=pattern_read(reading),
    )


def last_seen(word_features: int) -> Callable[[Prompt], Sight]:
    """Return `sight_of` that remembers its last prompt: it is asked for it again."""

    @lru_cache(maxsize=1)
    def see(prompt: Prompt) -> Sight:
        return sight_of(prompt, word_features=word_features)

    return see


def _words(words: Iterable[str], width: int) -> dict[int, int]:
    """Return how far each feature is moved by the different words of a text."""
    moved: dict[int, int] = {}
    for stem in dict.fromkeys([word[:STEM] for word in words]):
        drawn = zlib.crc32(stem.encode("utf-8", "replace"))
        place = (drawn & (_DOWN - 1)) % width
        moved[place] = moved.get(place, 0) + (-1 if drawn & _DOWN else 1)
    return {place: move for place, move in moved.items() if move}
