"""Who takes part in a round, and what was taken of each.

Decides which facts are kept of a member. Refuses to know rounds, and to keep a body:
its digest, its signature and its size are enough here.
"""

from dataclasses import dataclass, field

from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.binding import KeyBinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """When a member came how far, in seconds since the epoch; None where it did not."""

    join_s: float | None = None
    reveal_s: float | None = None
    contribute_s: float | None = None
    check_s: float | None = None
    answer_s: float | None = None


@dataclass(frozen=True, slots=True)
class JoinedMember:
    """A member's keys, its commitment, its nonce once revealed, and how far it came.

    `expelled` where its membership was revoked since: nothing more is taken of it.
    """

    binding: KeyBinding
    certificate_der: bytes = field(repr=False)
    commitment: bytes
    nonce: bytes | None = None
    progress: Progress = Progress()
    expelled: bool = False

    def joins_like(self, other: "JoinedMember") -> bool:
        """Return whether both joined with the same keys and commitment.

        Bindings are signed with ECDSA, so that their signatures differ each time.
        """
        return (
            self.binding.member == other.binding.member
            and self.binding.keys == other.binding.keys
            and self.binding.not_after_s == other.binding.not_after_s
            and self.commitment == other.commitment
        )

    @property
    def entry(self) -> RosterEntry:
        """Return the member as the roster hash knows it."""
        return RosterEntry(self.binding.member, self.binding.keys, self.commitment)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A body that was accepted: its digest, its sender's signature, its size."""

    sha256: bytes
    signature: bytes
    size_bytes: int
