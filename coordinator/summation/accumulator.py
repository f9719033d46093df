"""Add what members sent, unread.

Decides what counts as a ciphertext of the round, and adds accepted ones in one pass in
TenSEAL with one body in memory at a time. Refuses to know keys and stores. Blocks the
calling thread.
"""

from collections.abc import Iterable

from coordinator.rounds.round import Round
from federated_router.crypto import beacon, body, ckks
from federated_router.crypto.ring import Residues


def refuse_malformed(round_: Round, content: bytes) -> None:
    """Refuse a body that could not be added; raise CiphertextMalformed.

    Only the ciphertexts can be looked at; shares are sealed to their holders.
    """
    body.from_bytes(content[: round_.ciphertext_bytes], ciphertexts=round_.ciphertexts)


def polynomials_of(round_: Round) -> Residues:
    """Return the public polynomials under which every member of a round encrypts."""
    return beacon.public_polynomials(
        round_.attempt, round_.roster_hash, round_.beacon, count=round_.ciphertexts
    )


def accumulate(
    ciphertexts: Iterable[bytes], *, polynomials: Residues
) -> ckks.SummedCiphertext:
    """Return the homomorphic sum over one cohort's survivors.

    Raises:
        CiphertextMalformed: one of them is none of this round.
    """
    return ckks.sum_bodies(ciphertexts, polynomials=polynomials)
