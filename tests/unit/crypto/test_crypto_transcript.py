"""What is signed has one reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto import transcript
from federated_router.crypto.transcript import RoundAttempt, encode
from federated_router.kit.errors import FieldInvalid

FIELDS = st.lists(
    st.one_of(st.binary(max_size=9), st.text(max_size=9), st.integers(0, 2**64 - 1)),
    max_size=5,
)
ENCODED = (
    "73000000000000001c6665646572617465642d726f757465722f6167677265676174696f6e"
    "6900000000000000080000000000000003"
    "73000000000000000170"
    "62000000000000000101"
    "6900000000000000080000000000000002"
)


@given(left=FIELDS, right=FIELDS)
def test_different_fields_are_never_encoded_alike(
    left: list[bytes | str | int], right: list[bytes | str | int]
) -> None:
    """Neither by another split nor by another type."""
    alike = encode("purpose", *left) == encode("purpose", *right)

    same = [(type(x), x) for x in left] == [(type(x), x) for x in right]
    assert alike == same


def test_fields_do_not_run_into_each_other() -> None:
    """The classic: 'ab' + 'c' against 'a' + 'bc'."""
    assert encode("p", "ab", "c") != encode("p", "a", "bc")
    assert encode("p", "ab") != encode("pa", "b")
    assert encode("p", "ab") != encode("p", b"ab")


def test_encoding_has_its_frozen_form() -> None:
    """Domain and version come first; lengths are 8 bytes, big-endian."""
    assert encode("p", b"\x01", 2).hex() == ENCODED


def test_version_changes_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later protocol accepts nothing that was signed for this one."""
    before = encode("purpose", "field")

    monkeypatch.setattr(transcript, "PROTOCOL_VERSION", 4)

    assert encode("purpose", "field") != before


@pytest.mark.parametrize("number", [-1, 2**64])
def test_number_that_does_not_fit_is_refused(number: int) -> None:
    """It comes from the wire as well as from us."""
    with pytest.raises(FieldInvalid):
        encode("purpose", number)


@pytest.mark.parametrize(("name", "attempt"), [("", 0), ("rounds/r", -1)])
def test_round_without_name_or_attempt_is_refused(name: str, attempt: int) -> None:
    """Nothing may be bound to no round."""
    with pytest.raises(FieldInvalid):
        RoundAttempt(name, attempt)
