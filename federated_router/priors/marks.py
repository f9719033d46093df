"""Marks in a text that tell code and mathematics from prose.

Decides which marks those are. Shared by features, which count them, and patterns,
which compare the counts with a threshold. Each kind of mark counts once.
"""

import re
from typing import Final

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
_CODE_SHAPES: Final = (
    re.compile(r"select [^;]{1,200} from "),
    re.compile(r"[{};]\s*\n"),
    re.compile(r"\(\w{0,64}\)[:;.]"),
)
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
_MATHEMATICS_WORDS: Final = re.compile(
    r"\b(?:equation|integral|derivative|theorem|prove|polynomial|probability|solve"
    r"|calculate|compute|gleichung|beweise|berechne|équation|calculer)\b"
)
_ARITHMETIC: Final = re.compile(r"\d\s{0,4}[-+*/^=]\s{0,4}\d")
_VARIABLE: Final = re.compile(r"\b[a-z]\s{0,4}(=|\^|\+)\s{0,4}[\da-z]\b")


def code_marks(text: str) -> int:
    """Return how many kinds of marks of program text there are in lower-case text."""
    literal = sum(mark in text for mark in _CODE)
    return literal + sum(shape.search(text) is not None for shape in _CODE_SHAPES)


def mathematics_marks(text: str) -> int:
    """Return how many kinds of marks of mathematics are in lower-case text."""
    literal = sum(mark in text for mark in _MATHEMATICS)
    shapes = (_MATHEMATICS_WORDS, _ARITHMETIC, _VARIABLE)
    return literal + sum(shape.search(text) is not None for shape in shapes)
