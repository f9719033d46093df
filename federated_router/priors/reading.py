"""A prompt's text taken apart once, for all who look at it.

Decides what a word is, and that lower case is made of the text before its words are
taken. Refuses to know what words mean. This runs for every request: features, patterns
and the choice's own words share one pass over the text.

Whoever looks for a mark by a regular expression asks first whether its letters are
there at all: that takes a tenth of the time, and most texts have none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from federated_router.priors.prompt import Prompt

WORDS: Final = re.compile(r"[^\W\d_]+|\d+")
"""Runs of letters and runs of digits."""

_ASCII_WORDS: Final = re.compile(r"[A-Za-z]+|[0-9]+")
_SPACE: Final = " "


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt with its words, its text in lower case, and the different words of that.

    `distinct` has them in the order in which they come; its values say nothing.
    """

    prompt: Prompt
    words: Sequence[str] = field(repr=False)
    lower: str = field(repr=False)
    distinct: Mapping[str, None] = field(repr=False)


class Words:
    """Some words that are looked for whole; in lower case, apart by spaces."""

    def __init__(self, words: str) -> None:
        self._words = frozenset(words.split())
        self._whole = re.compile(rf"\b(?:{'|'.join(sorted(self._words))})\b")

    def count_in(self, reading: Reading) -> int:
        """Return how many of the prompt's words are among them.

        One that a digit or a line below touches is another word.
        """
        if self._words.isdisjoint(reading.distinct):
            return 0
        return len(self._whole.findall(reading.lower))


def reading_of(prompt: Prompt) -> Reading:
    """Return a prompt taken apart."""
    text = prompt.text
    lower = text.lower()
    if not text.isascii():
        found = dict.fromkeys(WORDS.findall(lower))
        return Reading(prompt, WORDS.findall(text), lower, found)
    # The same words in half the time: letters of ASCII have one lower case each.
    words = _ASCII_WORDS.findall(text)
    lower_words = _SPACE.join(words).lower().split(_SPACE) if words else []
    return Reading(prompt, words, lower, dict.fromkeys(lower_words))
