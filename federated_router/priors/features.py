"""A request as fifteen small whole numbers, for a linear model of reward.

Decides the features, their units and their order: routers of one federation add up
products of them, so all must compute the same numbers from the same text. Nothing is
downloaded or learnt. Refuses to know models, rewards and slots.

They say how a text is made rather than what it is about. Most are centred on what
prompts usually are, so that sums of their products are small where nothing is unusual:
noise of a size that hides a request then hides less of what requests have in common.
The squared length of a vector is at most FEATURE_NORM**2: one beyond it is drawn in.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from federated_router.priors.marks import code_marks, mathematics_marks
from federated_router.priors.prompt import Prompt
from federated_router.priors.reading import Reading, Words, reading_of

FEATURES_VERSION: Final = 2
"""Enters the catalogue's digest; grows whenever any text gets other numbers."""

FEATURE_NAMES: Final = (
    "bias",
    "length",
    "unusual_length",
    "word_length",
    "capitals",
    "numbers",
    "negation",
    "first_person",
    "question",
    "mathematics",
    "code",
    "foreign",
    "turns",
    "list",
    "quotes",
)

FEATURE_COUNT: Final = len(FEATURE_NAMES)

FEATURE_NORM: Final = 6
"""R: no feature vector is longer, in the L2 norm."""

BIAS: Final = 3
"""The first feature of every prompt."""

REWARD_MAX: Final = 8
"""A reward of 1 in steps; rewards are 0 to REWARD_MAX."""

_LENGTHS: Final = (70, 118, 198, 332, 558, 939)
"""Characters at which a length grows by one: powers of 2^0.75 around 2^8."""

_NOT: Final = Words(
    "not except never without nicht außer nie ohne pas sauf jamais sans salvo nunca sin"
)
_I: Final = Words("i me my ich mir mich mein je moi mon ma yo mi")
_I_MIN: Final = 3
_MARKS_MAX: Final = 2
_TENTHS: Final = 10
_ITEM: Final = re.compile(r"^\s{0,8}(?:[-*•]|\w{1,2}[.)])\s", re.MULTILINE)
_ITEMS_MIN: Final = 2
_QUOTES: Final = ('"', "“", "„", "«")


def features_of(prompt: Prompt) -> tuple[int, ...]:
    """Return the FEATURE_COUNT features of a prompt, in the order of FEATURE_NAMES."""
    return features_read(reading_of(prompt))


def features_read(reading: Reading) -> tuple[int, ...]:
    """Return the features of a prompt that was taken apart already."""
    prompt, text = reading.prompt, reading.prompt.text
    length = bisect_right(_LENGTHS, prompt.characters) - 3
    return _drawn_in(
        [
            BIAS,
            length,
            abs(length) - 1,
            *_words(reading.words),
            1 if _NOT.count_in(reading) else -1,
            2 if _I.count_in(reading) >= _I_MIN else 0,
            1 if "?" in text else -1,
            min(mathematics_marks(reading), _MARKS_MAX),
            min(code_marks(reading), _MARKS_MAX),
            _foreign(text),
            2 if prompt.turns > 1 else 0,
            int("\n" in text and len(_ITEM.findall(text)) >= _ITEMS_MIN),
            int(any(quote in text for quote in _QUOTES)),
        ]
    )


def _words(words: Sequence[str]) -> tuple[int, int, int]:
    """Return how long words are, how many are capitalised, how many are numbers.

    0 is 4.5 to 5 characters, 12 to 20 % and 4 to 12 %.
    """
    count = len(words)
    if not count:
        return 0, 0, 0
    letters = len("".join(words))
    firsts = [word[0] for word in words]
    capitals = sum(map(str.isupper, firsts))
    numbers = sum(map(str.isdigit, firsts))
    return (
        _within(2 * letters // count - 9, 2),
        _within((25 * capitals // count + 1) // 2 - 2, 2),
        _within((25 * numbers // count + 1) // 2 - 1, 2),
    )


def _within(value: int, most: int) -> int:
    return max(-most, min(value, most))


def _foreign(text: str) -> int:
    """Return 0, 1 from a tenth of other than ASCII characters on, 2 from two tenths."""
    if text.isascii():
        return 0
    others = len(text) - len(text.encode("ascii", errors="ignore"))
    return min(others * _TENTHS // len(text), 2)


def _drawn_in(features: list[int]) -> tuple[int, ...]:
    """Return features with the largest moved towards 0 until the norm is kept."""
    squared = sum(value * value for value in features)
    while squared > FEATURE_NORM**2:
        sizes = [abs(value) for value in features[1:]]
        largest = len(sizes) - sizes[::-1].index(max(sizes))
        size = abs(features[largest])
        features[largest] -= 1 if features[largest] > 0 else -1
        squared -= 2 * size - 1
    return tuple(features)
