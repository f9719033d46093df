"""Every byte of a contribution belongs to one part, and a holder is given its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.packed_shamir import Thresholds


@given(holders=st.integers(3, 300), ciphertexts=st.integers(1, 3))
def test_parts_cover_a_body_without_gap_or_overlap(
    holders: int, ciphertexts: int
) -> None:
    """Ciphertexts, key and all boxes, put together again, are the body."""
    layout = BodyLayout(ciphertexts, Thresholds.for_roster(holders))
    body = bytes(index % 251 for index in range(layout.size_bytes))

    sealed = [layout.sealed_for(body, number) for number in range(1, holders + 1)]

    start = layout.ciphertext_bytes
    assert start == ciphertexts * CIPHERTEXT_BYTES
    assert {one[:32] for one in sealed} == {body[start : start + 32]}
    boxes = b"".join(one[32:] for one in sealed)
    assert body[:start] + sealed[0][:32] + boxes == body
    assert list(map(len, sealed)) == [
        layout.sealed_bytes(number) for number in range(1, holders + 1)
    ]


@pytest.mark.parametrize(
    ("holders", "size_bytes", "seeded", "whole"),
    [(4, 44_208, 80, 8_248), (100, 55_380, 80, 538), (1000, 88_680, 80, 106)],
)
def test_sizes_are_those_of_the_protocol(
    holders: int, size_bytes: int, seeded: int, whole: int
) -> None:
    """A change of any of them is a change of the protocol."""
    layout = BodyLayout(1, Thresholds.for_roster(holders))

    assert layout.size_bytes == size_bytes
    assert layout.sealed_bytes(1) == seeded
    assert layout.sealed_bytes(holders) == whole
