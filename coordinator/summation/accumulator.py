"""Add what members sent, unread.

Decides what counts as a ciphertext of the round, and adds accepted ones in one pass in
TenSEAL with one body in memory at a time. Refuses to know keys and stores. Blocks the
calling thread.
"""

from collections.abc import Iterable

from coordinator.rounds.round import Round
from federated_router.crypto import beacon, body, ckks


def refuse_malformed(round_: Round, content: bytes) -> None:
    """Refuse a body that could not be added; raise CiphertextMalformed.

    Only the ciphertexts can be looked at; shares are sealed to their holders.
    """
    body.from_bytes(content[: round_.ciphertext_bytes], ciphertexts=round_.ciphertexts)


def accumulate(round_: Round, ciphertexts: Iterable[bytes]) -> ckks.SummedCiphertext:
    """Return the homomorphic sum over the survivors.

    Raises:
        CiphertextMalformed: one of them is none of this round.
    """
    polynomials = beacon.public_polynomials(
        round_.attempt, round_.roster_hash, round_.beacon, count=round_.ciphertexts
    )
    return ckks.sum_bodies(ciphertexts, polynomials=polynomials)
