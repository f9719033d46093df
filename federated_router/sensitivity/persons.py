"""Names of persons, as far as form and neighbours give them away. Pure.

Decides which words announce a name, and what is written like one. Refuses to know
names: there is no list of them, so a name in small letters is not found, nor is a lone
one that nothing announces.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from federated_router.sensitivity.page import Page, Span, begins_word, words

_CAPITAL: Final = (
    "[A-ZÀ-ÖØ-Þ\u0391-\u03a9\u0400-\u042fĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢŁŃŅŇŌŎŐŘŚŜŞŠŢŤŪŮŰŹŻŽ]"
)
_NAME: Final = rf"{_CAPITAL}[\w'-]{{1,24}}"
_NO_NAME: Final = (
    r"(?!(?:The|A|An|This|That|It|He|She|We|You|They|I|In|If|Is|On|Not|When|My|Please"
    r"|There|All|Team|Everyone|World|Sir|Madam)\b)"
)
_ANNOUNCED_BY: Final = (
    # titles
    ("mr mrs ms mx dr prof professor doctor mme mlle herr herrn frau sr sra", r"\.? "),
    (
        "miss sir madam monsieur madame señor señora senor senora signor signora",
        r"\.? ",
    ),
    ("doktor docteur patient patientin", r"\.? "),
    # introductions
    ("name nickname", r" is "),
    ("named", r"(?: (?:him|her|it))? "),
    ("call calls called", r" me "),
    ("this", r" is "),
    ("am heiße heisse appelle llamo chiamo signed", r" "),
    ("nom", r" est "),
    ("nombre", r" es "),
    ("speak speaking", r" (?:to|with) "),
    ("said shouted told asked", r"(?: (?:to|at))? "),
    ("regards sincerely cheers yours grüße gruesse grüßen gruessen", r",?[ \n]{1,3}"),
    # addresses
    ("dear hi hello hey liebe lieber liebes hallo cher chère chere", r",? "),
    ("querido querida estimado estimada", r",? "),
    # relations
    ("wife husband son daughter mother father mom dad brother sister uncle", r",? "),
    ("aunt boss friend colleague neighbour neighbor child partner", r",? (?:is )?"),
    ("girlfriend boyfriend client", r",? (?:is )?"),
)
_FIELDS: Final = (
    "name surname forename patient client customer contact attn nom vorname nachname "
    "nombre"
)


def _announcing() -> Mapping[str, re.Pattern[str]]:
    """Return a form for each announcing word, which begins with that word."""
    tails: dict[str, list[str]] = {}
    for listed, tail in _ANNOUNCED_BY:
        for word in listed.split():
            tails.setdefault(word, []).append(tail)
    for word in _FIELDS.split():
        tails.setdefault(word, []).append(r' ?[:=]\s{0,8}"?')
    forms = {
        word: re.compile(
            rf"(?:{word}|{word.capitalize()}|{word.upper()})"
            rf"(?:{'|'.join(those)}){_NO_NAME}{_NAME}"
        )
        for word, those in tails.items()
    }
    forms["m"] = re.compile(rf"'[mM] {_NO_NAME}{_NAME}")
    return MappingProxyType(forms)


_FORMS: Final = _announcing()
_PARTICLES: Final = "de|da|del|della|van|von|der|den|al|bin|ter|la|le"
_IN_A_ROW: Final = re.compile(
    rf"(?<![\w'.-])({_NAME})(?: {_CAPITAL}\.)?(?: (?:{_PARTICLES})){{0,3}}"
    rf"(?: {_NAME}){{1,3}}(?![\w-])"
)
_BEGINS_NO_NAME: Final = words(
    "the a an this that these those it he she we you they i my your his her our their "
    "in on at of for from with to by as and or but if when while after before during "
    "who what where which why how is are was were be do does did can could would "
    "should will may might must please write explain describe summarize translate list "
    "give monday tuesday wednesday thursday friday saturday sunday january february "
    "march april june july august september october november december north south east "
    "west new old great united national international american british french german "
    "world university college institute school bank company corporation department "
    "ministry supreme prime vice president chief general state city county republic "
    "kingdom civil cold first second third high machine deep data open big stack "
    "visual not all no one two three"
)


def introduced_names(page: Page) -> Iterator[Span]:
    """Yield where a title, a greeting, a field or a sentence announces a name."""
    for word in _FORMS.keys() & page.words:
        for match in _FORMS[word].finditer(page.text):
            if word == "m" or begins_word(page.text, match.start()):
                yield match.span()


def capitalised_names(page: Page) -> Iterator[Span]:
    """Yield where two or more words in a row begin with a capital, as names do."""
    for match in _IN_A_ROW.finditer(page.text):
        if match.group(1).lower() not in _BEGINS_NO_NAME:
            yield match.span()
