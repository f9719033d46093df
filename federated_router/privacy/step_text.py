"""Steps as canonical JSON: the form in which the ledger keeps what was released.

Decides the one text of a step, and reads every text that a release has ever written;
refuses to know what a step costs. Numbers that a charge depends on are decimal text,
so that nothing is lost between writing and reading.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    NoisedSumStep,
    SelectionStep,
    Step,
    TokenStep,
)

TEXT_BYTES_MAX = 4096
CONTEXT_KEYS = frozenset({"dataset", "policy"})
"""Public context that is stored beside a mechanism and that no charge depends on."""

_EXACT = Context(prec=80)
_NUMERAL = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?(E[+-]?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Form:
    """How one kind of field is written and read; reading raises ValueError."""

    write: Callable[[object], object]
    read: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Mechanism:
    name: str
    build: Callable[..., Step]
    fields: Mapping[str, _Form]


def _plain(value: object) -> str:
    """Return a decimal or terminating fraction in digits, without trailing zeros."""
    exact = Fraction(str(value))
    quotient = _EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return format(quotient.normalize(_EXACT), "f")


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str) or _NUMERAL.fullmatch(value) is None:
        raise ValueError
    return Decimal(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError  # noqa: TRY004 One refusal for all that is no such field.
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 As above.
    return value


_COUNT = _Form(write=_whole, read=_whole)
_FLAG = _Form(write=_flag, read=_flag)
_DECIMAL = _Form(write=_plain, read=_decimal)
_EXACT_NUMBER = _Form(write=_plain, read=lambda value: Fraction(_decimal(value)))
# The shortest digits that give the same double again.
_DOUBLE = _Form(write=_plain, read=lambda value: float(_decimal(value)))

_NOISE = {"sensitivity": _EXACT_NUMBER, "scale": _EXACT_NUMBER}
_MECHANISMS: Mapping[type[Step], _Mechanism] = {
    TokenStep: _Mechanism(
        "token_selection",
        TokenStep,
        {
            "slots": _COUNT,
            "clip": _DECIMAL,
            "temperature": _DECIMAL,
            "multiplier": _COUNT,
            "records_per_subject": _COUNT,
        },
    ),
    GaussianStep: _Mechanism(
        "gaussian",
        GaussianStep,
        {"sensitivity_squared": _EXACT_NUMBER, "scale": _EXACT_NUMBER},
    ),
    LaplaceStep: _Mechanism("laplace", LaplaceStep, _NOISE),
    DiscreteLaplaceStep: _Mechanism("discrete_laplace", DiscreteLaplaceStep, _NOISE),
    SelectionStep: _Mechanism(
        "exponential",
        SelectionStep,
        {
            "sensitivity": _EXACT_NUMBER,
            "temperature": _EXACT_NUMBER,
            "monotonic": _FLAG,
        },
    ),
    NoisedSumStep: _Mechanism(
        "noised_sum",
        NoisedSumStep,
        {
            "sensitivity_squared": _COUNT,
            "share_sigma": _DOUBLE,
            "shares_min": _COUNT,
            "length": _COUNT,
        },
    ),
}
_BY_NAME = {mechanism.name: mechanism for mechanism in _MECHANISMS.values()}


def step_text(step: Step, *, context: Mapping[str, str] | None = None) -> str:
    """Return the canonical JSON of `step`; equal steps give equal text.

    `context` may name the public `dataset` and `policy` of the release.

    Raises:
        FieldInvalid: another key in `context`, or a text above 4096 bytes.
    """
    beside = dict(context or {})
    if not beside.keys() <= CONTEXT_KEYS:
        raise FieldInvalid("An event's context is dataset and policy.", field="event")
    mechanism = _MECHANISMS[type(step)]
    fields = {
        name: form.write(getattr(step, name)) for name, form in mechanism.fields.items()
    }
    document = {**beside, **fields, "mechanism": mechanism.name}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    if len(text) > TEXT_BYTES_MAX:
        raise FieldInvalid("An event has at most 4096 bytes.", field="event")
    return text


def step_of(text: str) -> Step:
    """Return the step that a stored text means, whatever context stands beside it.

    Raises:
        FieldInvalid: no JSON object, an unknown mechanism, a field too many or too
            few, a value of another form, or parameters that no mechanism takes.
        NotPrivatelyServable: a token's temperature of 0.
    """
    document = _document(text)
    mechanism = _BY_NAME.get(str(document.get("mechanism")))
    if mechanism is None:
        raise FieldInvalid("This event's mechanism is not known.", field="event")
    given = document.keys() - CONTEXT_KEYS - {"mechanism"}
    if given != mechanism.fields.keys():
        raise FieldInvalid(
            f"An event of {mechanism.name} has the fields "
            f"{', '.join(sorted(mechanism.fields))}.",
            field="event",
        )
    return mechanism.build(
        **{
            name: _read(form, document[name], field=name)
            for name, form in mechanism.fields.items()
        }
    )


def _read(form: _Form, value: object, *, field: str) -> object:
    try:
        return form.read(value)
    except ValueError as error:
        raise FieldInvalid(
            f"{field} of this event is not written as it must be.", field=field
        ) from error


def _document(text: str) -> dict[str, object]:
    if len(text) > TEXT_BYTES_MAX:
        raise FieldInvalid("An event is text of at most 4096 bytes.", field="event")
    try:
        document = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise FieldInvalid("An event is one JSON object.", field="event") from error
    if not isinstance(document, dict):
        raise FieldInvalid("An event is one JSON object.", field="event")
    return document


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a key that stands twice: readers would disagree about which counts."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document
