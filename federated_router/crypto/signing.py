"""Sign and verify what members say in a round, each statement in one reading only.

Decides the members' key pairs, and what every signature is bound to. Refuses to know
certificates (`binding`) and the content of bodies, of which it sees the digest.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federated_router.crypto.transcript import (
    DIGEST_BYTES,
    NO_ROSTER,
    MemberName,
    RosterHash,
    RoundAttempt,
    encode_round,
)
from federated_router.kit.errors import FieldInvalid, SignatureInvalid

KEY_BYTES = 32
_PURPOSE = "statement"


class MessageType(StrEnum):
    """What a statement says; a signature for one type is void for every other."""

    JOIN = "join"
    BEACON_REVEAL = "beacon-reveal"
    ROSTER = "roster"
    CONTRIBUTION = "contribution"
    DEALING_CHECK = "dealing-check"
    OPENING_REQUEST = "opening-request"
    OPENING = "opening"


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """A member's two public keys: Ed25519 to verify, X25519 to seal to."""

    signing: bytes
    sealing: bytes

    def __post_init__(self) -> None:
        """Refuse keys of another length."""
        if len(self.signing) != KEY_BYTES or len(self.sealing) != KEY_BYTES:
            raise FieldInvalid(f"Public keys have {KEY_BYTES} bytes.", field="keys")


@dataclass(frozen=True, slots=True)
class MemberKeys:
    """A member's two private keys; they rotate, and a new pair needs a new binding."""

    signing: Ed25519PrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)
    public: PublicKeys = field(init=False, compare=False, repr=False)
    """What the other members may know."""

    def __post_init__(self) -> None:
        """Derive the public keys once; every share asks for them."""
        public = PublicKeys(
            self.signing.public_key().public_bytes_raw(),
            self.sealing.public_key().public_bytes_raw(),
        )
        object.__setattr__(self, "public", public)

    @classmethod
    def generate(cls) -> "MemberKeys":
        """Draw both keys from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def from_secret_bytes(cls, content: bytes) -> "MemberKeys":
        """Return the keys that `to_secret_bytes` wrote into a member's vault."""
        if len(content) != 2 * KEY_BYTES:
            raise FieldInvalid(f"Member keys have {2 * KEY_BYTES} bytes.", field="keys")
        return cls(
            Ed25519PrivateKey.from_private_bytes(content[:KEY_BYTES]),
            X25519PrivateKey.from_private_bytes(content[KEY_BYTES:]),
        )

    def to_secret_bytes(self) -> bytes:
        """Return both private keys; for a vault that nobody else reads."""
        return self.signing.private_bytes_raw() + self.sealing.private_bytes_raw()


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed: who says what kind of thing, in which round, over which bytes."""

    message_type: MessageType
    round_attempt: RoundAttempt
    roster_hash: RosterHash
    sender: MemberName
    body_sha256: bytes

    def __post_init__(self) -> None:
        """Refuse digests of another length; only a JOIN may precede the roster."""
        free = self.message_type is MessageType.JOIN and self.roster_hash == NO_ROSTER
        if len(self.roster_hash) != DIGEST_BYTES and not free:
            raise FieldInvalid("A roster hash has 32 bytes.", field="roster_hash")
        if len(self.body_sha256) != DIGEST_BYTES:
            raise FieldInvalid("A SHA-256 digest has 32 bytes.", field="body_sha256")

    @classmethod
    def over(
        cls,
        message_type: MessageType,
        body: bytes,
        *,
        round_attempt: RoundAttempt,
        roster_hash: RosterHash,
        sender: MemberName,
    ) -> "Statement":
        """Return the statement about `body`."""
        digest = hashlib.sha256(body).digest()
        return cls(message_type, round_attempt, roster_hash, sender, digest)

    def encoded(self) -> bytes:
        """Return the bytes that are signed."""
        return encode_round(
            _PURPOSE,
            self.round_attempt,
            self.message_type.value,
            self.roster_hash,
            self.sender,
            self.body_sha256,
        )


def sign(statement: Statement, keys: MemberKeys) -> bytes:
    """Return the member's Ed25519 signature (RFC 8032, deterministic)."""
    return keys.signing.sign(statement.encoded())


def verify(statement: Statement, signature: bytes, keys: PublicKeys) -> None:
    """Accept a signature of exactly this statement.

    Raises:
        SignatureInvalid: for any other statement, key or signature.
    """
    try:
        public = Ed25519PublicKey.from_public_bytes(keys.signing)
        public.verify(signature, statement.encoded())
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid(
            f"The signature is not one of {statement.sender} over this "
            f"{statement.message_type.value} in this round.",
            metadata={"sender": statement.sender},
        ) from error
