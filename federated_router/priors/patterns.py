"""Which kind of request a prompt is, by fixed rules.

Decides the names, their order and the rules; the first rule that fits wins, in the
order of PATTERNS. Deterministic: routers of one federation count alike. The rules know
English, German, French and Spanish words; what they do not know counts as a chat of its
length. Refuses to know models and outcomes.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from federated_router.priors.marks import code_marks, mathematics_marks
from federated_router.priors.prompt import Prompt
from federated_router.priors.reading import Reading, reading_of

PATTERNS_VERSION: Final = 1
"""Grows whenever any text gets another name."""

PATTERNS: Final = (
    "translation",
    "summary",
    "extraction",
    "classification",
    "rewriting",
    "code",
    "mathematics",
    "creative",
    "explanation",
    "question",
    "conversation",
    "chat-long",
    "chat-short",
)
"""What each means: `conversation` has several turns, `chat-long` one long text without
a question, `chat-short` whatever is left; the others are what their names say."""


class _Asked(NamedTuple):
    """What asks for a pattern: `words`, each of which contains one of `stems`."""

    stems: tuple[str, ...]
    words: re.Pattern[str]

    def found_in(self, text: str) -> bool:
        """Return whether lower-case text asks for it."""
        for stem in self.stems:
            if stem in text:
                return self.words.search(text) is not None
        return False


def _asked(stems: str, words: str) -> _Asked:
    return _Asked(tuple(stems.split("|")), re.compile(rf"\b(?:{words})"))


_ASKED: Final[Mapping[str, _Asked]] = {
    "translation": _asked(
        "translat|übersetz|tradui|traduc",
        r"translat|übersetz|traduis|traduire|traduce|traducir",
    ),
    "summary": _asked(
        "summar|tldr|tl;dr|shorten|zusammen|résum|resum",
        r"summar|tl;?dr|shorten|zusammenfass|fasse .{1,80} zusammen|résum|resum[ei]",
    ),
    "extraction": _asked(
        "extra|list all|find all|pull out",
        r"extract|list all|find all|pull out|extrahier|extra[ei]",
    ),
    "classification": _asked(
        "classif|categori|label |sentiment|ordne",
        r"classif|categori|label (the|this|each)|sentiment|ordne",
    ),
    "rewriting": _asked(
        "rewrite|rephrase|paraphrase|proofread|correct |improve |formul|corrige",
        r"rewrite|rephrase|paraphrase|proofread|correct (the|this|my)"
        r"|improve (the|this|my)|formulier|corrige|reformul",
    ),
    "creative": _asked(
        "write |gedicht|poème|poema|brainstorm|imagine",
        r"write (a|an|me) .{0,40}(story|poem|song|joke|essay|tale)|gedicht"
        r"|poème|poema|brainstorm|imagine",
    ),
    "explanation": _asked(
        "expli|explain|describe|why |how do|teach|erklär|warum|pourquoi|por qué",
        r"explain|describe|why |how does|how do|teach|erklär|warum"
        r"|expliqu|pourquoi|explica|por qué",
    ),
}
_BEFORE_MARKS: Final = PATTERNS[:5]
_AFTER_MARKS: Final = ("creative", "explanation")
_INSTRUCTION_CHARACTERS: Final = 400
_MARKS_MIN: Final = 2
_LONG_CHARACTERS: Final = 1000


def pattern_of(prompt: Prompt) -> str:
    """Return the name of a prompt's pattern, one of PATTERNS.

    Words are looked for where instructions stand: in the first and in the last
    characters of the message, not in a document between them.
    """
    return pattern_read(reading_of(prompt))


def pattern_read(reading: Reading) -> str:
    """Return the pattern of a prompt that was taken apart already."""
    text = reading.lower
    half = _INSTRUCTION_CHARACTERS // 2
    asked = text if len(text) <= 2 * half else f"{text[:half]}\n{text[-half:]}"
    for name in _BEFORE_MARKS:
        if _ASKED[name].found_in(asked):
            return name
    if code_marks(reading) >= _MARKS_MIN:
        return "code"
    if mathematics_marks(reading) >= _MARKS_MIN:
        return "mathematics"
    for name in _AFTER_MARKS:
        if _ASKED[name].found_in(asked):
            return name
    return _by_shape(reading.prompt)


def _by_shape(prompt: Prompt) -> str:
    if prompt.text.rstrip().endswith("?"):
        return "question"
    if prompt.turns > 1:
        return "conversation"
    return "chat-long" if prompt.characters >= _LONG_CHARACTERS else "chat-short"
