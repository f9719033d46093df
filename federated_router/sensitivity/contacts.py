"""How persons are reached: by mail, by telephone, by their machine's address. Pure.

Decides their forms. Refuses to know whether such an address exists.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from federated_router.sensitivity.page import Page, Span

_EMAIL: Final = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}\s?(?:@|\(at\)|\[at\])\s?"
    r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}"
)
_EMAIL_SIGNS: Final = ("@", "(at)", "[at]")
_PHONE: Final = re.compile(
    r"(?<![\w.$€£%/=-])\+?(?:\(\d{1,5}+\)|\d{1,15}+)"
    r"(?:(?:(?<=\))|[ .-]{1,2}+)(?:\(\d{1,5}+\)|\d{1,12}+)){0,7}+"
    r"(?:\s?(?:x|ext\.?)\s?\d{1,6}+)?+(?![\w%])"
)
_NO_PHONE: Final = re.compile(
    r"[12]\d{3} ?- ?[12]\d{3}"  # years
    r"|(?:\d{1,3}\.){3}\d{1,3}"  # a machine's address
    r"|(?:.*\.)?\d(?:\..*)?"  # a decimal number or a version
)
_GROUPED_DIGITS: Final = range(7, 16)
_BARE_DIGITS: Final = range(9, 16)
_SHORT_DIGITS: Final = 6
_SAID: Final = re.compile(
    r"(?:phone|tel|mobile|cell|fax|call|ring|whatsapp|handy|number is|t[ée]l[ée]phone)"
    r"\W{0,3}(?:\w{1,8} ){0,3}$",
    re.IGNORECASE,
)
_SAID_WITHIN: Final = 48
_DOTTED: Final = re.compile(r"\d\.\d{1,3}\.\d")
_COLONS: Final = re.compile(r":[0-9a-fA-F]{0,4}:")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6: Final = re.compile(
    r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"
)


def email_addresses(page: Page) -> Iterator[Span]:
    """Yield where addresses of mail stand."""
    if any(sign in page.text for sign in _EMAIL_SIGNS):
        for match in _EMAIL.finditer(page.text):
            yield match.span()


def phone_numbers(page: Page) -> Iterator[Span]:
    """Yield where numbers stand that are written like a telephone's.

    In groups 7 to 15 digits, 6 where a telephone is named before; 9 or more at once.
    """
    if not page.has_number:
        return
    for match in _PHONE.finditer(page.text):
        if _is_phone(page.text, match.group(), match.start()):
            yield match.span()


def _is_phone(text: str, written: str, position: int) -> bool:
    digits = sum(map(str.isdigit, written.partition("x")[0]))
    if written.isdigit():
        return digits in _BARE_DIGITS
    if digits == _SHORT_DIGITS:
        return _SAID.search(text, max(position - _SAID_WITHIN, 0), position) is not None
    return digits in _GROUPED_DIGITS and _NO_PHONE.fullmatch(written) is None


def ip_addresses(page: Page) -> Iterator[Span]:
    """Yield where addresses of machines stand that are reached from everywhere.

    Addresses of private networks and of documentation name nobody.
    """
    forms = [_IPV4] if page.has_digits and _DOTTED.search(page.text) else []
    forms += [_IPV6] if _COLONS.search(page.text) else []
    for form in forms:
        for match in form.finditer(page.text):
            if _is_global(match.group()):
                yield match.span()


def _is_global(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).is_global
    except ValueError:
        return False
