"""Which kinds of personal data a text seems to hold. Pure.

Decides the kinds, the order in which they are looked for and how much of a text is
looked at in one go. Refuses to know levels, requests and what becomes of what was
found: only the name of a kind leaves this module's callers.

Finders judge by form, not by meaning. A find that is none costs a place at a trusted
node; what is not found is sent anywhere. So forms are wide, and check digits are
only asked for where the form alone would fit any number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from federated_router.sensitivity import contacts, identifiers, persons, places
from federated_router.sensitivity.kinds import PersonalDataKind
from federated_router.sensitivity.page import Page, Span, page_of

Finder = Callable[[Page], Iterator[Span]]

WINDOW_CHARACTERS: Final = 16_384
"""Read in one go; between two windows the time is looked at."""

OVERLAP_CHARACTERS: Final = 256
"""Longer than what any finder finds, so that no find is cut in two."""

WITHOUT_DIGITS: Final = frozenset(
    {
        PersonalDataKind.EMAIL_ADDRESS,
        PersonalDataKind.IP_ADDRESS,
        PersonalDataKind.PERSON_NAME,
        PersonalDataKind.PERSON_NAME_BY_FORM,
    }
)
"""The kinds that a text without any digit can hold."""

FINDERS: Final[Mapping[PersonalDataKind, Finder]] = MappingProxyType(
    {
        PersonalDataKind.EMAIL_ADDRESS: contacts.email_addresses,
        PersonalDataKind.PHONE_NUMBER: contacts.phone_numbers,
        PersonalDataKind.IP_ADDRESS: contacts.ip_addresses,
        PersonalDataKind.POSTAL_ADDRESS: places.postal_addresses,
        PersonalDataKind.PAYMENT_CARD: identifiers.payment_cards,
        PersonalDataKind.BANK_ACCOUNT: identifiers.bank_accounts,
        PersonalDataKind.NATIONAL_ID: identifiers.national_ids,
        PersonalDataKind.DOCUMENT_NUMBER: identifiers.document_numbers,
        PersonalDataKind.BIRTH_DATE: identifiers.birth_dates,
        PersonalDataKind.PERSON_NAME: persons.introduced_names,
        PersonalDataKind.PERSON_NAME_BY_FORM: persons.capitalised_names,
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The kinds found, in the order of PersonalDataKind; `whole` where all was read."""

    kinds: tuple[PersonalDataKind, ...]
    whole: bool


def read(
    texts: Sequence[str],
    kinds: Sequence[PersonalDataKind],
    *,
    characters_max: int,
    in_time: Callable[[], bool] = lambda: True,
) -> Reading:
    """Look for `kinds` in the first `characters_max` characters of all texts together.

    Stops between two windows once `in_time` says no; the first is read in any case, so
    that a machine that is slow for a moment makes no short text unread.
    """
    missing = _ordered(frozenset(kinds))
    left = characters_max
    found: set[PersonalDataKind] = set()
    begun = False
    for text in texts:
        for page in _windows(text[:left]):
            if begun and not in_time():
                return Reading(_ordered(frozenset(found)), whole=False)
            begun = True
            now = [kind for kind in _possible(missing, page) if _holds(page, kind)]
            if now:
                found.update(now)
                missing = tuple(kind for kind in missing if kind not in found)
        if len(text) > left:
            return Reading(_ordered(frozenset(found)), whole=False)
        left -= len(text)
    return Reading(_ordered(frozenset(found)), whole=True)


def _windows(text: str) -> Iterator[Page]:
    if not text:
        return
    step = WINDOW_CHARACTERS - OVERLAP_CHARACTERS
    for begin in range(0, max(len(text) - OVERLAP_CHARACTERS, 1), step):
        yield page_of(text[begin : begin + WINDOW_CHARACTERS])


def _possible(
    kinds: tuple[PersonalDataKind, ...], page: Page
) -> tuple[PersonalDataKind, ...]:
    return kinds if page.has_digits else _without_digits(kinds)


@lru_cache(maxsize=256)
def _without_digits(
    kinds: tuple[PersonalDataKind, ...],
) -> tuple[PersonalDataKind, ...]:
    return tuple(kind for kind in kinds if kind in WITHOUT_DIGITS)


def _holds(page: Page, kind: PersonalDataKind) -> bool:
    return next(FINDERS[kind](page), None) is not None


@lru_cache(maxsize=256)
def _ordered(found: frozenset[PersonalDataKind]) -> tuple[PersonalDataKind, ...]:
    return tuple(kind for kind in PersonalDataKind if kind in found)
