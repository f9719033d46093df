"""Receive a body in chunks, never more of it than was announced.

Decides when bytes are refused. Refuses to know what they mean and who sent them.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import FieldInvalid

CHUNK_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """A contribution's bytes, stored with the transition that accepts them."""

    member: MemberName
    content: bytes = field(repr=False)


async def receive(
    chunks: AsyncIterator[bytes], *, size_bytes: int, sha256: bytes
) -> bytes:
    """Return the body of that size and digest.

    Raises:
        FieldInvalid: a chunk that is empty or too large, another size or digest.
    """
    # One chunk is most bodies: then the body is that chunk, and not a copy of it.
    parts: list[bytes] = []
    missing = size_bytes
    async for chunk in chunks:
        if not 0 < len(chunk) <= CHUNK_BYTES_MAX:
            raise FieldInvalid(
                f"A chunk has 1 to {CHUNK_BYTES_MAX} bytes.", field="chunk"
            )
        parts.append(chunk)
        missing -= len(chunk)
        if missing < 0:
            raise _other_size(size_bytes)
    if missing:
        raise _other_size(size_bytes)
    body = b"".join(parts)
    if not hmac.compare_digest(hashlib.sha256(body).digest(), sha256):
        raise FieldInvalid("The body has another SHA-256 digest.", field="sha256")
    return body


def chunked(body: bytes) -> list[bytes]:
    """Return a body in chunks of at most CHUNK_BYTES_MAX."""
    return [
        body[start : start + CHUNK_BYTES_MAX]
        for start in range(0, len(body), CHUNK_BYTES_MAX)
    ]


def _other_size(size_bytes: int) -> FieldInvalid:
    return FieldInvalid(
        f"The body does not have the {size_bytes} bytes of its header.",
        field="size_bytes",
    )
