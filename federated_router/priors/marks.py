"""Marks in a text that tell code and mathematics from prose.

Decides which marks those are. Shared by features, which count them, and patterns,
which compare the counts with a threshold. Each kind of mark counts once.
"""

import re
from typing import Final

from federated_router.priors.reading import Reading, Words

_CODE: Final = (
    "```",
    "def ",
    "class ",
    "import ",
    "return ",
    "#include",
    "function",
    "();",
    "=>",
    "</",
    "!=",
    "public static",
)
_SELECT: Final = re.compile(r"select [^;]{1,200} from ")
_LINE_END: Final = re.compile(r"[{};]\s*\n")
_CALL: Final = re.compile(r"\(\w{0,64}\)[:;.]")
_MATHEMATICS: Final = (
    "\\frac",
    "\\sum",
    "\\int",
    "\\(",
    "$$",
    "∫",
    "∑",
    "√",
    "≤",
)
_ASCII_MATHEMATICS: Final = tuple(mark for mark in _MATHEMATICS if mark.isascii())
_MATHEMATICS_WORDS: Final = Words(
    "equation integral derivative theorem prove polynomial probability solve calculate"
    " compute gleichung beweise berechne équation calculer"
)
_ARITHMETIC: Final = re.compile(r"\d\s{0,4}[-+*/^=]\s{0,4}\d")
_VARIABLE: Final = re.compile(r"\b[a-z]\s{0,4}(=|\^|\+)\s{0,4}[\da-z]\b")


def code_marks(reading: Reading) -> int:
    """Return how many kinds of marks of program text a prompt has."""
    text = reading.lower
    found = 0
    for mark in _CODE:
        found += mark in text
    if "select " in text:
        found += _SELECT.search(text) is not None
    if "\n" in text:
        found += _LINE_END.search(text) is not None
    if "(" in text:
        found += _CALL.search(text) is not None
    return found


def mathematics_marks(reading: Reading) -> int:
    """Return how many kinds of marks of mathematics a prompt has."""
    text = reading.lower
    found = 0
    for mark in _ASCII_MATHEMATICS if text.isascii() else _MATHEMATICS:
        found += mark in text
    found += _MATHEMATICS_WORDS.count_in(reading) > 0
    joins = "=" in text or "^" in text or "+" in text
    if joins or "-" in text or "*" in text or "/" in text:
        found += _ARITHMETIC.search(text) is not None
    if joins:
        found += _VARIABLE.search(text) is not None
    return found
