"""Encode what is hashed, signed or authenticated, so that two meanings never collide.

Decides the one canonical encoding and the names that every message of a round is
bound to. Refuses to know what is signed, by whom and with which key.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NewType

from federated_router.kit.errors import FieldInvalid

PROTOCOL_VERSION = 3
DIGEST_BYTES = 32
_DOMAIN = "federated-router/aggregation"
_INTEGER_BYTES = 8
_LETTER_AND_LENGTH: Final = struct.Struct(">cQ").pack
_PURPOSES_KEPT: Final = 64

MemberName = NewType("MemberName", str)
"""`role/id`, as in the SAN of the member's certificate."""

RosterHash = NewType("RosterHash", bytes)
"""32 bytes; empty only where a message precedes the roster."""

NO_ROSTER = RosterHash(b"")


@dataclass(frozen=True, slots=True)
class RoundAttempt:
    """One try at one round; everything fresh in it is fresh per attempt."""

    round_name: str
    attempt: int

    def __post_init__(self) -> None:
        """Refuse an attempt that could not be encoded."""
        if not self.round_name or self.attempt < 0:
            raise FieldInvalid(
                "A round has a name and an attempt counted from 0.", field="round"
            )


def encode(purpose: str, *fields: bytes | str | int) -> bytes:
    """Return `fields` in a form that no other purpose and no other split can have.

    Each field is one type letter, its length in 8 bytes and its content; the domain,
    the protocol version and `purpose` come first.
    """
    parts = [_field(field) for field in fields]
    return _head(PROTOCOL_VERSION, purpose) + b"".join(parts)


def encode_round(purpose: str, attempt: RoundAttempt, *fields: bytes | str) -> bytes:
    """Return `encode` of `fields` behind the round's name and attempt."""
    return encode(purpose, attempt.round_name, attempt.attempt, *fields)


@lru_cache(maxsize=_PURPOSES_KEPT)
def _head(version: int, purpose: str) -> bytes:
    """Return what every encoding for a purpose begins with."""
    return _field(_DOMAIN) + _field(version) + _field(purpose)


def _field(field: bytes | str | int) -> bytes:
    if isinstance(field, bytes):
        return _LETTER_AND_LENGTH(b"b", len(field)) + field
    if isinstance(field, str):
        content = field.encode()
        return _LETTER_AND_LENGTH(b"s", len(content)) + content
    if not 0 <= field < 1 << (8 * _INTEGER_BYTES):
        raise FieldInvalid("A bound number fits 64 bits, unsigned.", field="number")
    content = field.to_bytes(_INTEGER_BYTES, "big")
    return _LETTER_AND_LENGTH(b"i", _INTEGER_BYTES) + content
