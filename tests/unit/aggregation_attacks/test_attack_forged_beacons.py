"""Nobody chooses the public polynomials: not the coordinator, not who speaks last.

A beacon that somebody could choose would let it pick polynomials, or the same ones
twice. Commitments are what forbids it; a beacon without them is bent at will below.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from federated_router.crypto import beacon, ring
from federated_router.crypto.beacon import RosterEntry
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt
from federated_router.federation.round_view import Round, RoundState
from federated_router.kit.errors import RosterMismatch, SignatureInvalid
from tests.support.round_coordinator import MemoryCoordinator
from tests.support.round_member import RunningMember

ATTEMPT = RoundAttempt("rounds/beacon", 0)
SIZE = 5


def digest(*words: object) -> bytes:
    """Return 32 bytes that depend on all words."""
    return hashlib.sha256(repr(words).encode()).digest()


NONCES = {MemberName(f"node/n{index}"): digest("nonce", index) for index in range(SIZE)}
ENTRIES = [
    RosterEntry(
        name,
        PublicKeys(digest("signing", name), digest("sealing", name)),
        beacon.commit(ATTEMPT, name, nonce),
    )
    for name, nonce in NONCES.items()
]
LAST = ENTRIES[-1].member
LAYOUT = digest("layout")


def of_subset(absent: frozenset[MemberName]) -> bytes:
    """Return the beacon if some stay away, and so off the roster."""
    entries = [entry for entry in ENTRIES if entry.member not in absent]
    nonces = {name: nonce for name, nonce in NONCES.items() if name not in absent}
    return beacon.beacon(ATTEMPT, entries, nonces, layout=LAYOUT)


def test_last_speaker_has_one_beacon_or_none() -> None:
    """It tries a thousand nonces after it heard the others; only its own is taken."""
    taken = set()
    for trial in range(1000):
        mine = NONCES[LAST] if trial == 500 else digest("trial", trial)
        try:
            taken.add(
                beacon.beacon(ATTEMPT, ENTRIES, NONCES | {LAST: mine}, layout=LAYOUT)
            )
        except SignatureInvalid:
            continue

    assert taken == {of_subset(frozenset())}


def test_last_speaker_chooses_freely_where_nothing_was_committed() -> None:
    """The exclusive or of all nonces, without commitments: any target is hit."""
    target = digest("what suits the attacker")

    def exclusive_or(words: list[bytes]) -> bytes:
        numbers = (int.from_bytes(word, "big") for word in words)
        return reduce(lambda a, b: a ^ b, numbers).to_bytes(32, "big")

    others = [nonce for name, nonce in NONCES.items() if name != LAST]
    chosen = exclusive_or([*others, target])

    assert exclusive_or([*others, chosen]) == target


def test_staying_away_is_all_that_a_last_speaker_can_choose() -> None:
    """Two absent accomplices have four beacons to choose from, and no fifth."""
    accomplices = [entry.member for entry in ENTRIES[-2:]]
    choices = {
        of_subset(frozenset(absent))
        for count in range(3)
        for absent in combinations(accomplices, count)
    }

    assert len(choices) == 4


def test_every_beacon_that_can_be_chosen_gives_uniform_polynomials() -> None:
    """Choosing among them gains nothing: chi-square, false alarm rate 1e-6 for each.

    The nonces are fixed, so that the outcome is the same in every run.
    """
    bins = 64
    for absent in ((), (LAST,), tuple(entry.member for entry in ENTRIES[-2:])):
        random_beacon = of_subset(frozenset(absent))
        rows = beacon.public_polynomials(
            ATTEMPT, RosterHash(digest("roster")), random_beacon, count=4
        )
        cells = rows.astype(object).reshape(-1) * bins // ring.MODULUS
        observed = np.bincount(cells.astype(np.int64), minlength=bins)
        assert stats.chisquare(observed).pvalue > 1e-6


def test_biased_expansion_would_be_noticed() -> None:
    """The same chi-square on words that were reduced instead of passed over."""
    bins = 64
    stream = hashlib.shake_256(b"biased").digest(4 * ring.DEGREE * 8)
    words = np.frombuffer(stream, dtype="<u8").astype(object)
    reduced = (words % (1 << 54)) % (ring.MODULUS * 3 // 4)
    observed = np.bincount(
        (reduced * bins // ring.MODULUS).astype(np.int64), minlength=bins
    )

    assert stats.chisquare(observed).pvalue < 1e-6


def chosen_beacon(round_: Round) -> Round:
    """Put any beacon in place of the one that follows."""
    return replace(round_, beacon=digest("chosen"))


def earlier_beacon(round_: Round) -> Round:
    """Use the beacon of another roster, so that polynomials come twice."""
    return replace(round_, beacon=of_subset(frozenset()))


def without_one_nonce(round_: Round) -> Round:
    """Leave an honest nonce out of the beacon and keep its member."""
    entries = [entry.entry for entry in round_.roster]
    nonces = {entry.member: entry.nonce for entry in round_.roster[1:]}
    attempt = RoundAttempt(round_.name, 0)
    return replace(
        round_,
        beacon=beacon.beacon(attempt, entries, nonces, layout=round_.catalogue.sha256),
    )


def hash_of_another_order(round_: Round) -> Round:
    """Show the members in an order of the coordinator's choice."""
    return replace(round_, roster=tuple(reversed(round_.roster)))


FORGERIES: tuple[Callable[[Round], Round], ...] = (
    chosen_beacon,
    earlier_beacon,
    without_one_nonce,
    hash_of_another_order,
)


async def test_member_sends_nothing_under_a_forged_beacon(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """Every member recomputes the beacon; whom it is shown does not matter."""
    for round_ in (hostile.round, hostile.end_joining()):
        for running in victims:
            await running.member.act(round_)
    honest = hostile.end_revealing()

    for forge, running in product(FORGERIES, victims):
        with pytest.raises(RosterMismatch):
            await running.member.act(forge(honest))
    assert hostile.sent == []
    assert honest.state is RoundState.COLLECTING


async def test_nonce_replaced_by_the_coordinator_is_refused(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> None:
    """With hash and beacon made to fit, the commitment still gives it away."""
    for round_ in (hostile.round, hostile.end_joining()):
        for running in victims:
            await running.member.act(round_)
    honest = hostile.end_revealing()
    forged = replace(honest.roster[2], nonce=digest("replaced"))
    roster = (*honest.roster[:2], forged, *honest.roster[3:])

    for running in (victims[0], victims[1], victims[3]):
        with pytest.raises(SignatureInvalid):
            await running.member.act(replace(honest, roster=roster))
    assert hostile.sent == []
