"""A signature over the ledger's chain up to one entry.

Decides which bytes are signed, with Ed25519 (RFC 8032), and how a signature is
checked; refuses to know where keys are kept. Who holds the public key and a checkpoint
can tell whether a later export still contains everything up to it.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federated_router.budget.chain import ChainHead

_CHECKPOINT: Final = b"federated-router checkpoint 1\0"
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed head of the chain; `public_key` is raw, 32 bytes."""

    head: ChainHead
    time_us: int
    public_key: bytes
    signature: bytes = field(repr=False)


class CheckpointSigner:
    """Signs heads with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, head: ChainHead, *, now_s: float) -> Checkpoint:
        """Return a checkpoint of `head`."""
        time_us = round(now_s * _MICROSECONDS)
        return Checkpoint(
            head=head,
            time_us=time_us,
            public_key=self.public_key,
            signature=self._key.sign(signed_bytes(head, time_us=time_us)),
        )


def is_genuine(checkpoint: Checkpoint) -> bool:
    """Return whether the signature holds under the checkpoint's own public key.

    Whether that key may be trusted is the reader's to say.
    """
    told = signed_bytes(checkpoint.head, time_us=checkpoint.time_us)
    try:
        key = Ed25519PublicKey.from_public_bytes(checkpoint.public_key)
        key.verify(checkpoint.signature, told)
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_bytes(head: ChainHead, *, time_us: int) -> bytes:
    """Return what is signed: identity, place, hash and time, of fixed lengths."""
    return b"".join(
        (
            _CHECKPOINT,
            head.ledger_id,
            head.sequence.to_bytes(8, "big"),
            head.hash,
            time_us.to_bytes(8, "big"),
        )
    )
