"""What a privacy policy refuses, because it could not be private or not be exact."""

from dataclasses import replace
from decimal import Decimal

import pytest

from federated_router.kit.errors import FieldInvalid, NotPrivatelyServable
from federated_router.privacy.policy import PrivatePolicy, decimal_of


@pytest.fixture(name="policy")
def _policy() -> PrivatePolicy:
    return PrivatePolicy(
        name="notes",
        slots=32,
        clip=Decimal(6),
        temperature=Decimal(1),
        top_k=50,
        tokens_max=12,
        row_tokens_max=128,
    )


def test_greedy_decoding_is_refused_as_not_private(policy: PrivatePolicy) -> None:
    """Temperature 0 has infinite loss; no charge could cover it."""
    with pytest.raises(NotPrivatelyServable) as caught:
        replace(policy, temperature=Decimal(0))

    assert caught.value.metadata["field"] == "temperature"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1", "0.0001", "1E+9", "1001"])
def test_temperature_outside_its_range_is_refused(
    policy: PrivatePolicy, text: str
) -> None:
    """NaN compares as nothing, so every bound must be stated positively."""
    with pytest.raises(FieldInvalid):
        replace(policy, temperature=Decimal(text))


@pytest.mark.parametrize("text", ["0", "-6", "NaN", "Infinity", "1E-7", "1E+30"])
def test_clip_outside_its_range_is_refused(policy: PrivatePolicy, text: str) -> None:
    """A clip below one integer step would silently ignore every record."""
    with pytest.raises(FieldInvalid):
        replace(policy, clip=Decimal(text))


def test_float_parameters_are_refused(policy: PrivatePolicy) -> None:
    """Two daemons reading 0.1 as a float could derive two charges."""
    with pytest.raises(FieldInvalid):
        replace(policy, clip=0.5)  # type: ignore[arg-type]


def test_numerals_too_long_for_a_ledger_are_refused(policy: PrivatePolicy) -> None:
    """Exact arithmetic on a thousand digits would be a way to stall a daemon."""
    with pytest.raises(FieldInvalid):
        replace(policy, clip=Decimal("1." + "1" * 1000))


@pytest.mark.parametrize("multiplier", [0, 2, 3, 5, -4])
def test_multiplier_is_one_or_four(policy: PrivatePolicy, multiplier: int) -> None:
    """Only two ways of selecting records have a proven factor."""
    with pytest.raises(FieldInvalid):
        replace(policy, multiplier=multiplier)


@pytest.mark.parametrize(
    "field",
    ["slots", "top_k", "tokens_max", "row_tokens_max", "records_per_subject"],
)
@pytest.mark.parametrize("value", [0, -1, 1 << 40, True])
def test_counts_have_both_limits(policy: PrivatePolicy, field: str, value: int) -> None:
    """Everything that sizes memory or a charge has a named maximum."""
    with pytest.raises(FieldInvalid) as caught:
        replace(policy, **{field: value})  # type: ignore[arg-type]

    assert caught.value.metadata["field"] == field


@pytest.mark.parametrize("text", ["", "nan", "-1", "1e3", ".5", "1.", " 1", "1_0"])
def test_decimal_text_has_one_plain_form(text: str) -> None:
    """What one daemon parses and another refuses would split the federation."""
    with pytest.raises(FieldInvalid):
        decimal_of(text, field="clip")


def test_plain_decimal_text_is_read_exactly() -> None:
    """The text in configuration is the number in the charge."""
    assert decimal_of("0.66", field="clip") == Decimal("0.66")
