"""A piece of text as finders look at it: plain, and with its words known. Pure.

Decides what is computed once for all finders. A finder asks for the words or the digits
that it needs before it searches: most texts hold none of them, and are then done with.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

Span = tuple[int, int]
"""Where something stands in a page's text: begin and end, in characters."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_DIGIT: Final = re.compile(r"\d")
_NUMBER: Final = re.compile(r"\d(?:[ ./()-]{0,3}\d){5}")
_NO_LETTERS: Final = {code: " " for code in range(128) if not chr(code).isalpha()}
_REWRITTEN: Final = {
    **dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), None),
    0x0130: "I",  # The one letter whose small form is two characters.
    0x2019: "'",
    0x2010: "-",
    0x2011: "-",
    0x2012: "-",
    0x2013: "-",
    0x2212: "-",
}
_TO_REWRITE: Final = re.compile(f"[{''.join(map(chr, _REWRITTEN))}]")


@dataclass(frozen=True, slots=True)
class Page:
    """`text` is plain, `words` are its words in small letters.

    `has_number` says that six digits stand close together, as in every number that
    is given to a person.
    """

    text: str = field(repr=False)
    words: frozenset[str] = field(repr=False)
    has_digits: bool
    has_number: bool


def page_of(text: str) -> Page:
    """Return a text in its plain form: NFKC, one dash and apostrophe, none invisible.

    Full-width digits and joined letters then look as everywhere else.
    """
    if text.isascii():
        found = text.lower().translate(_NO_LETTERS).split()
    else:
        if _TO_REWRITE.search(text):
            text = text.translate(_REWRITTEN)
        text = unicodedata.normalize("NFKC", text)
        found = _WORD.findall(text.lower())
    has_digits = _DIGIT.search(text) is not None
    return Page(
        text=text,
        words=frozenset(found),
        has_digits=has_digits,
        has_number=has_digits and _NUMBER.search(text) is not None,
    )


def words(listed: str) -> frozenset[str]:
    """Return the words of a list, as a page's words are compared with."""
    return frozenset(listed.split())


def begins_word(text: str, position: int) -> bool:
    """Return whether no letter and no digit stands before a position."""
    return position == 0 or not text[position - 1].isalnum()
