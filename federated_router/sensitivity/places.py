"""Where persons live: streets with numbers, boxes, flats, codes of places. Pure.

Decides their forms in a few languages of Europe and America. Refuses to know whether
such a place exists, and towns by their names.
"""

import re
from collections.abc import Iterator
from typing import Final

from federated_router.sensitivity.page import Page, Span

_AFTER_NAME: Final = (
    "street", "st", "road", "rd", "avenue", "ave", "lane", "drive", "dr", "boulevard",
    "blvd", "court", "square", "terrace", "parkway", "crescent",
)  # fmt: skip
_BEFORE_NAME: Final = (
    "rue", "avenue", "boulevard", "chemin", "impasse", "place", "quai", "allée",
    "allee", "cours", "via", "viale", "piazza", "corso", "calle", "carrer", "avenida",
    "paseo", "plaza", "rua", "rúa", "travessa", "ul", "ulica", "plac", "al",
)  # fmt: skip
_ENDINGS: Final = (
    "straße", "strasse", "str", "weg", "gasse", "platz", "allee", "damm", "ufer",
    "straat", "laan", "gracht", "plein", "gatan", "vägen", "vagen", "vej", "gade",
    "gata", "veien", "bakken", "katu", "tie", "utca", "ulice",
)  # fmt: skip
_UNITS: Final = ("apt", "apartment", "suite", "flat", "box", "postbox", "psc", "cmr")
_CODES: Final = ("zip", "postal", "postcode", "plz", "apo", "fpo", "dpo")
_TOLD: Final = (
    "address", "live", "lives", "living", "moved", "located", "deliver", "delivered",
    "sent", "ship", "shipped", "taxi", "anschrift", "adresse", "wohnhaft",
)  # fmt: skip


def _any_of(*words: str) -> str:
    return "(?:" + "|".join(map(re.escape, words)) + ")"


_PART: Final = (
    r"(?!(?:the|of|on|in|by|and|to|is|are|as|for|was|were|with|at|from|that)\b)"
    r"[^\W\d][\w'.-]{1,24}"
)
_MONTHS: Final = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?|in|the|of|at|on"
)


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_STREETS: Final = (
    _form(
        rf"\d{{1,5}}[a-z]?,? (?:{_PART} ){{1,4}}{_any_of(*_AFTER_NAME)}(?!\w)\.?"
        r"(?! (?:to|the|of|a)\b)"
    ),
    _form(rf"\b{_any_of(*_BEFORE_NAME)}\.? {_PART}(?: {_PART}){{0,3}},? \d{{1,5}}\b"),
    _form(rf"\d{{1,5}}(?: ?(?:bis|ter))?,? {_any_of(*_BEFORE_NAME)}\.? {_PART}"),
)
_ENDED: Final = (
    _form(rf"\b[^\W\d][\w'-]{{1,24}}[ -]?{_any_of(*_ENDINGS)}\.? \d{{1,5}}\b"),
    _form(rf"\d{{1,5}} [^\W\d][\w'-]{{1,24}}{_any_of(*_ENDINGS)}(?!\w)"),
)
_IN_HOUSE: Final = (
    _form(r"\b(?:p\.? ?o\.? ?box|postbox) \w{0,8}\d"),
    _form(r"\b(?:apt|apartment|suite|flat)\.? #?\d{1,5}[a-z]?\b"),
    _form(r"\b(?:psc|cmr) \d{3,5},? box \d{1,6}"),
)
_CODED: Final = (
    _form(r"\b(?:apo|fpo|dpo) a[aep] \d{5}\b"),
    _form(r"\b(?:zip|postal code|postcode|plz|code postal)\W{0,4}\w{0,4}\d"),
)
_LIVED_AT: Final = (
    _form(
        rf"\b(?:{_any_of(*_TOLD)})\b[^.?!$€£%]{{0,24}}?"
        rf"(?<!\w)(?<!(?:\$|€|£))\d{{1,5}},? (?!(?:{_MONTHS})\b){_PART}"
        rf"(?: {_PART}){{0,3}},? \d{{1,5}}"
    ),
)
_WRITTEN_LARGE: Final = (
    re.compile(r"[A-Z]{2}(?<![A-Z]..),? \d{5}(?:-\d{4})?\b"),
    re.compile(r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b"),
)
_BY_WORDS: Final = (
    (frozenset(_AFTER_NAME + _BEFORE_NAME), _STREETS),
    (frozenset(_UNITS), _IN_HOUSE),
    (frozenset(_CODES), _CODED),
    (frozenset(_TOLD), _LIVED_AT),
)


def postal_addresses(page: Page) -> Iterator[Span]:
    """Yield where streets with numbers, boxes, flats and codes of places stand."""
    if not page.has_digits:
        return
    for form in _forms_for(page):
        for match in form.finditer(page.text):
            yield match.span()


def _forms_for(page: Page) -> Iterator[re.Pattern[str]]:
    """Yield the forms that the page's words leave possible."""
    for words, forms in _BY_WORDS:
        if not words.isdisjoint(page.words):
            yield from forms
    if any(word.endswith(_ENDINGS) for word in page.words):
        yield from _ENDED
    yield from _WRITTEN_LARGE
