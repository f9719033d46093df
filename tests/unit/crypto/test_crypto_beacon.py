"""Nobody chooses the roster's hash, the beacon or the polynomials."""

import dataclasses
import hashlib

import numpy as np
import pytest

from federated_router.crypto import beacon, ring
from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.kit.errors import FieldInvalid, NotOnRoster, SignatureInvalid

NEXT = RoundAttempt("rounds/r-1", 1)
NAMES = [MemberName(f"node/{name}") for name in ("a", "b", "c")]
LAYOUT = bytes(range(32))
NONCES = {name: bytes([index]) * 32 for index, name in enumerate(NAMES)}


@pytest.fixture
def entries(attempt: RoundAttempt) -> list[RosterEntry]:
    """Give a roster of three."""
    return [
        RosterEntry(
            name,
            PublicKeys(bytes([index]) * 32, bytes([index + 100]) * 32),
            beacon.commit(attempt, name, NONCES[name]),
        )
        for index, name in enumerate(NAMES)
    ]


def test_committed_nonce_is_accepted(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """And gives 32 bytes for the round."""
    beacon.verify_reveal(attempt, entries[0], NONCES[NAMES[0]])

    assert len(beacon.beacon(attempt, entries, NONCES, layout=LAYOUT)) == 32


def test_other_nonce_round_attempt_or_member_is_refused(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """The commitment holds one nonce, for one member, once."""
    renamed = dataclasses.replace(entries[0], member=NAMES[1])

    for reveal in (
        (attempt, entries[0], bytes([9]) * 32),
        (NEXT, entries[0], NONCES[NAMES[0]]),
        (attempt, renamed, NONCES[NAMES[0]]),
    ):
        with pytest.raises(SignatureInvalid):
            beacon.verify_reveal(*reveal)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_nonce_of_another_length_is_refused(attempt: RoundAttempt, length: int) -> None:
    """A short nonce could be guessed from its commitment."""
    with pytest.raises(FieldInvalid):
        beacon.commit(attempt, NAMES[0], bytes(length))


def test_roster_hash_does_not_depend_on_order(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """Members hear of each other in any order."""
    forward = beacon.roster_hash(attempt, entries, layout=LAYOUT)

    assert beacon.roster_hash(attempt, entries[::-1], layout=LAYOUT) == forward


def test_roster_hash_depends_on_everything_else(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """Names, both keys, commitments, membership, round and attempt."""
    first, *rest = entries
    keys = first.keys
    changed = [
        dataclasses.replace(first, member=MemberName("node/z")),
        dataclasses.replace(first, keys=PublicKeys(b"s" * 32, keys.sealing)),
        dataclasses.replace(first, keys=PublicKeys(keys.signing, b"x" * 32)),
        dataclasses.replace(first, commitment=b"c" * 32),
    ]

    hashes = {
        beacon.roster_hash(attempt, [entry, *rest], layout=LAYOUT) for entry in changed
    }
    hashes |= {
        beacon.roster_hash(attempt, entries, layout=LAYOUT),
        beacon.roster_hash(attempt, rest, layout=LAYOUT),
        beacon.roster_hash(NEXT, entries, layout=LAYOUT),
        beacon.roster_hash(attempt, entries, layout=bytes(32)),
    }

    assert len(hashes) == 8


@pytest.mark.parametrize("what", ["member", "signing", "sealing", "commitment"])
def test_copy_on_the_roster_is_refused(
    attempt: RoundAttempt, entries: list[RosterEntry], what: str
) -> None:
    """A copied key speaks for two; a copied commitment reveals a copied nonce."""
    first, second, third = entries
    copies = {
        "member": dataclasses.replace(third, member=first.member),
        "commitment": dataclasses.replace(third, commitment=first.commitment),
        "signing": dataclasses.replace(
            third, keys=dataclasses.replace(third.keys, signing=first.keys.signing)
        ),
        "sealing": dataclasses.replace(
            third, keys=dataclasses.replace(third.keys, sealing=first.keys.sealing)
        ),
    }

    with pytest.raises(FieldInvalid, match="twice"):
        beacon.roster_hash(attempt, [first, second, copies[what]], layout=LAYOUT)


def test_commitment_of_another_length_is_refused(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """It could not be one."""
    short = dataclasses.replace(entries[0], commitment=b"short")

    with pytest.raises(FieldInvalid, match="32 bytes"):
        beacon.roster_hash(attempt, [short, *entries[1:]], layout=LAYOUT)


def test_beacon_changes_with_every_nonce_and_with_who_reveals(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """One honest nonce is enough to make it unpredictable."""
    nonces = {**NONCES, NAMES[2]: b"n" * 32}
    commitment = beacon.commit(attempt, NAMES[2], nonces[NAMES[2]])
    moved = [*entries[:2], dataclasses.replace(entries[2], commitment=commitment)]
    two = {name: NONCES[name] for name in NAMES[:2]}

    beacons = {
        beacon.beacon(attempt, entries, NONCES, layout=LAYOUT),
        beacon.beacon(attempt, moved, nonces, layout=LAYOUT),
        beacon.beacon(attempt, entries, two, layout=LAYOUT),
    }

    assert len(beacons) == 3


def test_beacon_takes_only_nonces_of_the_roster(
    attempt: RoundAttempt, entries: list[RosterEntry]
) -> None:
    """Neither a stranger's nor one that was not committed to."""
    with pytest.raises(NotOnRoster):
        beacon.beacon(attempt, entries[:2], NONCES, layout=LAYOUT)
    with pytest.raises(SignatureInvalid):
        beacon.beacon(
            attempt, entries, {**NONCES, NAMES[0]: bytes([7]) * 32}, layout=LAYOUT
        )


def test_drawn_nonces_differ() -> None:
    """They come from the operating system."""
    assert beacon.draw_nonce() != beacon.draw_nonce()


def test_first_polynomial_does_not_depend_on_the_count(
    attempt: RoundAttempt, roster: RosterHash, polynomials: ring.Residues
) -> None:
    """Rows are expanded one by one, and differ."""
    one = beacon.public_polynomials(attempt, roster, bytes(32), count=1)

    assert np.array_equal(one[0], polynomials[0])
    assert not np.array_equal(polynomials[0], polynomials[1])


def test_polynomials_are_fresh_for_every_attempt_roster_and_beacon(
    attempt: RoundAttempt, roster: RosterHash
) -> None:
    """Two encryptions under one polynomial would be a second hint on a secret."""
    sources = [
        (attempt, roster, bytes(32)),
        (NEXT, roster, bytes(32)),
        (attempt, RosterHash(bytes(32)), bytes(32)),
        (attempt, roster, b"b" * 32),
    ]

    firsts = {
        int(beacon.public_polynomials(*source, count=1)[0, 0]) for source in sources
    }

    assert len(firsts) == 4


def test_word_above_the_modulus_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking it modulo q would favour small residues."""

    class Scripted:
        def __init__(self, _seed: bytes) -> None:
            words = np.arange(2 * ring.DEGREE, dtype="<u8")
            words[1] = ring.MODULUS
            words[2] = ring.MODULUS - 1
            self.stream = words.tobytes()

        def digest(self, length: int) -> bytes:
            return self.stream[:length]

    monkeypatch.setattr(hashlib, "shake_256", Scripted)

    residues = beacon._uniform(b"")

    assert residues[:4].tolist() == [0, ring.MODULUS - 1, 3, 4]
    assert len(residues) == ring.DEGREE
