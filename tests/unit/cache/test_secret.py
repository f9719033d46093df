"""Who reads or writes the disk or the server learns and achieves nothing by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.cache.entries import StoredAnswer
from federated_router.cache.secret import (
    SEALED_OVERHEAD_BYTES,
    CacheSecret,
    Unreadable,
    read_header,
)

SECRET = CacheSecret(bytes(range(32)))
ANSWER = StoredAnswer(b"For diabetes.", 1_700_000_000.5)
PLACE = SECRET.place(tenant="clinic", question=b"What is metformin for?")
SEALED = SECRET.seal(PLACE, ANSWER)


@given(st.binary(max_size=4096), st.integers(0, 2**40))
def test_what_was_sealed_opens_as_it_was(content: bytes, expires_s: int) -> None:
    """Content and end come back exactly."""
    answer = StoredAnswer(content, float(expires_s))
    assert SECRET.open(PLACE, SECRET.seal(PLACE, answer)) == answer


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(position: int, flip: int) -> None:
    """Nor one of the header: nobody makes an answer last longer."""
    changed = bytearray(SEALED)
    changed[position] ^= flip
    with pytest.raises(Unreadable):
        SECRET.open(PLACE, bytes(changed))


@given(st.integers(0, len(SEALED) - 1))
def test_part_of_an_answer_does_not_open(size: int) -> None:
    """A crash may leave any part of a file."""
    with pytest.raises(Unreadable):
        SECRET.open(PLACE, SEALED[:size])


def test_an_answer_opens_in_its_own_place_only() -> None:
    """Whoever can write cannot put one answer in the place of another."""
    other = SECRET.place(tenant="clinic", question=b"Is aspirin safe?")
    theirs = SECRET.place(tenant="other", question=b"What is metformin for?")
    for place in (other, theirs):
        with pytest.raises(Unreadable):
            SECRET.open(place, SEALED)


def test_another_deployments_key_opens_nothing() -> None:
    """And finds nothing: its places differ."""
    other = CacheSecret(bytes(32))
    assert other.place(tenant="clinic", question=b"What is metformin for?") != PLACE
    with pytest.raises(Unreadable):
        other.open(PLACE, SEALED)


def test_tenants_have_places_of_their_own() -> None:
    """No tenant can reach what another asked, nor name one to mean another."""
    theirs = SECRET.place(tenant="other", question=b"What is metformin for?")
    assert theirs.digest != PLACE.digest
    assert theirs.tenant != PLACE.tenant
    moved = SECRET.place(tenant="clin", question=b"icWhat is metformin for?")
    assert moved.digest != PLACE.digest


def test_what_lies_outside_tells_neither_answer_nor_tenant() -> None:
    """Two seals of one answer differ, and no part of either is readable."""
    again = SECRET.seal(PLACE, ANSWER)
    assert again != SEALED
    for outside in (SEALED, PLACE.digest, PLACE.tenant):
        assert b"diabetes" not in outside
        assert b"clinic" not in outside
    assert len(SEALED) == len(ANSWER.content) + SEALED_OVERHEAD_BYTES
    assert read_header(SEALED) == (ANSWER.expires_time_s, PLACE.tenant)


def test_neither_key_nor_answer_shows_in_a_repr() -> None:
    """Reprs end up in logs."""
    assert "diabetes" not in repr(ANSWER)
    assert bytes(range(32)).hex() not in repr(SECRET)
    assert not hasattr(SECRET, "__dict__")


def test_a_key_of_another_length_is_refused() -> None:
    """A short key is a mistake, never a weaker cache."""
    with pytest.raises(ValueError, match="32 bytes"):
        CacheSecret(b"short")
