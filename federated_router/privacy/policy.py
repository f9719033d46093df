"""The parameters of private decoding, as one value that router and node share.

Decides which parameters can be private at all; refuses to know accounts, prices,
models and the wire. Decimals stay decimals, so that both sides derive one charge.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from federated_router.kit.errors import FieldInvalid, NotPrivatelyServable

SLOTS_MAX = 4096
TOP_K_MAX = 1 << 18
TOKENS_MAX = 1 << 16
ROW_TOKENS_MAX = 1 << 20
RECORDS_PER_SUBJECT_MAX = 1000
SELECTED_BY_ID = 1
RETRIEVED_BY_CONTENT = 4

_CLIP_MIN = Decimal(1) / (1 << 16)  # One step of the token mechanism's integers.
_CLIP_MAX = Decimal(10_000)
_TEMPERATURE_MIN = Decimal("0.001")
_TEMPERATURE_MAX = Decimal(1000)
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?")
_DIGITS_MAX = 18


def decimal_of(text: str, *, field: str) -> Decimal:
    """Return the plain decimal in `text`; raise FieldInvalid for any other form."""
    if _DECIMAL.fullmatch(text) is None:
        raise FieldInvalid(
            f"{field} must be a plain decimal such as '0.75'.", field=field
        )
    return Decimal(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivatePolicy:
    """One tier of private decoding; every field is public.

    `slots` is B, the fixed divisor; `clip` is C and `temperature` is tau, in nats;
    `top_k` counts the public row's candidates before the 2C/B extension;
    `row_tokens_max` is the public length that every row is padded to.
    `multiplier` is 1 where records are chosen by public id and 4 where they are
    retrieved by content, because one record then evicts another.
    `records_per_subject` is the most records of one person in one request.

    Raises:
        FieldInvalid: a field lies outside its range.
        NotPrivatelyServable: greedy decoding, whose loss is infinite.
    """

    name: str
    slots: int
    clip: Decimal
    temperature: Decimal
    top_k: int
    tokens_max: int
    row_tokens_max: int
    multiplier: int = SELECTED_BY_ID
    records_per_subject: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            raise FieldInvalid("A privacy policy needs a name.", field="name")
        _require_count("top_k", self.top_k, TOP_K_MAX)
        _require_count("tokens_max", self.tokens_max, TOKENS_MAX)
        _require_count("row_tokens_max", self.row_tokens_max, ROW_TOKENS_MAX)
        require_selection_terms(self)

    @property
    def clip_exact(self) -> Fraction:
        """Return C without rounding."""
        return Fraction(self.clip)

    @property
    def temperature_exact(self) -> Fraction:
        """Return tau without rounding."""
        return Fraction(self.temperature)


class SelectionTerms(Protocol):
    """The parameters that decide what one token costs."""

    @property
    def slots(self) -> int:
        """Return B."""

    @property
    def clip(self) -> Decimal:
        """Return C, in nats."""

    @property
    def temperature(self) -> Decimal:
        """Return tau, in nats."""

    @property
    def multiplier(self) -> int:
        """Return 1 for records chosen by id, 4 for records retrieved by content."""

    @property
    def records_per_subject(self) -> int:
        """Return the most records of one person."""


def require_selection_terms(terms: SelectionTerms) -> None:
    """Raise unless a token of these terms has a finite, derivable cost.

    Raises:
        FieldInvalid: a field lies outside its range.
        NotPrivatelyServable: greedy decoding, whose loss is infinite.
    """
    _require_count("slots", terms.slots, SLOTS_MAX)
    _require_count(
        "records_per_subject", terms.records_per_subject, RECORDS_PER_SUBJECT_MAX
    )
    _require_selection(terms.multiplier)
    _require_decimal("clip", terms.clip, _CLIP_MIN, _CLIP_MAX)
    _require_sampling(terms.temperature)
    _require_decimal(
        "temperature", terms.temperature, _TEMPERATURE_MIN, _TEMPERATURE_MAX
    )


def _require_count(field: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldInvalid(f"{field} must be a whole number.", field=field)
    if not 1 <= value <= most:
        raise FieldInvalid(f"{field} must lie between 1 and {most}.", field=field)


def _require_selection(multiplier: int) -> None:
    if multiplier not in (SELECTED_BY_ID, RETRIEVED_BY_CONTENT):
        raise FieldInvalid(
            "multiplier is 1 (records chosen by public id) or 4 (retrieved by "
            "content).",
            field="multiplier",
        )


def _require_sampling(temperature: object) -> None:
    if isinstance(temperature, Decimal) and temperature == 0:
        raise NotPrivatelyServable(
            "Temperature 0 is greedy and has no finite privacy loss; choose a "
            "temperature above 0.",
            field="temperature",
        )


def _require_decimal(field: str, value: object, least: Decimal, most: Decimal) -> None:
    """Refuse floats, non-numbers and numerals too long for exact arithmetic."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise FieldInvalid(
            f"{field} must be a finite decimal, written as text.", field=field
        )
    if not least <= value <= most:
        raise FieldInvalid(f"{field} must lie between {least} and {most}.", field=field)
    if len(value.as_tuple().digits) > _DIGITS_MAX:
        raise FieldInvalid(
            f"{field} may have at most {_DIGITS_MAX} digits.", field=field
        )
