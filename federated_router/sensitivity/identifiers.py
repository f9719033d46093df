"""Numbers that stand for one person: cards, accounts, registers, documents. Pure.

Decides their forms and which check digits are asked for; python-stdnum knows these.
Refuses to know to whom a number was given.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.za import idnr as za_id

from federated_router.sensitivity.page import Page, Span, begins_word, words

Checked = Callable[[str], bool]

_CARD: Final = re.compile(r"(?<![\d.])\d(?:[ -]?\d){11,18}(?!\.?\d)")
_IBAN: Final = re.compile(
    r"(?<![A-Za-z\d])[A-Za-z]{2}\d{2}(?: ?[A-Za-z\d]{1,4}){3,8}", re.ASCII
)
_BY_FORM: Final = (
    re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),  # US Social Security
    re.compile(  # UK National Insurance
        r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
        re.IGNORECASE,
    ),
)
_CHECKED_FORMS: Final = (
    re.compile(r"\d(?:[ .-]?\d){6,14}(?!\w)"),
    re.compile(r"[XYZxyz\d]\d{7}-?[A-Za-z](?!\w)"),  # Spain
    re.compile(r"\d{6}[-+A-Fa-f]\d{3}[0-9A-Za-z](?!\w)"),  # Finland
)
_ITALIAN: Final = re.compile(
    r"[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z](?!\w)"
)
_SEPARATORS: Final = str.maketrans("", "", " .-")
_CHECKS: Final[Mapping[int, tuple[Checked, ...]]] = MappingProxyType(
    {
        9: (bsn.is_valid, dni.is_valid, nie.is_valid),
        10: (nhs.is_valid, cpr.is_valid, personnummer.is_valid, hetu.is_valid),
        11: (
            nn.is_valid, cpf.is_valid, idnr.is_valid, fodselsnummer.is_valid,
            pesel.is_valid, hetu.is_valid,
        ),
        12: (aadhaar.is_valid, personnummer.is_valid),
        13: (ahv.is_valid, za_id.is_valid),
        15: (nir.is_valid,),
        16: (codicefiscale.is_valid,),
    }
)  # fmt: skip
"""By the number of characters without separators."""

_DOCUMENT_WORDS: Final = words(
    "passport driver drivers driving licence license reisepass ausweis permis "
    "personalausweis passeport führerschein fuhrerschein social ssn national tax "
    "steuer steuernummer record mrn patient insurance versichertennummer account "
    "kontonummer customer employee member membership id number"
)
_DOCUMENT: Final = re.compile(
    r"\b(?:passport|driv\w{1,4}'?s? (?:licen[cs]e|permit)|licen[cs]e (?:no|number)"
    r"|reisepass|(?:personal)?ausweis\w{0,8}|f[üu]hrerschein\w{0,8}"
    r"|permis de conduire|passeport|social security|ssn|national (?:id|insurance)"
    r"|tax (?:id|number)|steuer-?(?:id|nummer)|medical record|mrn"
    r"|patient (?:id|no|number)|insurance (?:no|number|id)|versichertennummer"
    r"|account (?:no|number)|kontonummer|(?:customer|employee) (?:id|number)"
    r"|member(?:ship)? (?:id|number))\b"
    r"[^\n.?!]{0,32}?\b(?=\w{0,12}\d)[\w-]{5,20}\b",
    re.IGNORECASE,
)
_BIRTH_WORDS: Final = words(
    "born birth birthday birthdate dob geb geboren geburtsdatum geburtstag né née "
    "ne nee naissance nacido nacida nacimiento nato nata"
)
_D_O_B: Final = words("d o b")
_DATE: Final = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\.? ?[^\W\d_]{3,9}\.?,? \d{4}"
    r"|[^\W\d_]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})"
)
_BIRTH_DATE: Final = re.compile(
    r"\b(?:born|birth(?:day|date)?|d\.?o\.?b\.?|geb(?:oren|\.)|geburts\w{1,8}"
    r"|n[ée]e? le|naissance|nacid[oa]|nacimiento|nat[oa] il)(?!\w)[^\n]{0,24}?" + _DATE,
    re.IGNORECASE,
)


def payment_cards(page: Page) -> Iterator[Span]:
    """Yield where numbers of cards stand: 12 to 19 digits with Luhn's check digit."""
    if not page.has_number:
        return
    for match in _CARD.finditer(page.text):
        if luhn.is_valid(match.group().translate(_SEPARATORS)):
            yield match.span()


def bank_accounts(page: Page) -> Iterator[Span]:
    """Yield where international bank account numbers stand, ISO 13616.

    The check digits must fit; the national rules within the number are not asked for.
    A number that runs into the next word is tried without its last groups.
    """
    if not page.has_number:
        return
    for match in _IBAN.finditer(page.text):
        groups = match.group().split(" ")
        for count in range(len(groups), 0, -1):
            written = " ".join(groups[:count])
            if iban.is_valid(written, check_country=False):
                yield match.start(), match.start() + len(written)
                break


def national_ids(page: Page) -> Iterator[Span]:
    """Yield where numbers of national registers of persons stand.

    Two by their form, of the United States and the United Kingdom, which have no check
    digit; those of seventeen other registers by their check digits.
    """
    yield from _italian_ids(page)
    if not page.has_number:
        return
    for form in _BY_FORM:
        for match in form.finditer(page.text):
            yield match.span()
    for form in _CHECKED_FORMS:
        for match in form.finditer(page.text):
            if begins_word(page.text, match.start()) and _registered(match.group()):
                yield match.span()


def _italian_ids(page: Page) -> Iterator[Span]:
    """Yield where Italian ones stand, whose digits are apart."""
    if page.has_digits:
        for match in _ITALIAN.finditer(page.text):
            if begins_word(page.text, match.start()) and _registered(match.group()):
                yield match.span()


def _registered(written: str) -> bool:
    checks = _CHECKS.get(len(written.translate(_SEPARATORS)), ())
    return any(check(written) for check in checks)


def document_numbers(page: Page) -> Iterator[Span]:
    """Yield where a document or a register is named and a number follows."""
    if page.has_digits and not _DOCUMENT_WORDS.isdisjoint(page.words):
        for match in _DOCUMENT.finditer(page.text):
            yield match.span()


def birth_dates(page: Page) -> Iterator[Span]:
    """Yield where a birth is named and a date follows."""
    named = not _BIRTH_WORDS.isdisjoint(page.words) or page.words >= _D_O_B
    if page.has_digits and named:
        for match in _BIRTH_DATE.finditer(page.text):
            yield match.span()
