"""A coordinator in the middle puts keys of its own in place of the holders'.

Members get a roster in which some keys are the attacker's. Each way of making that
roster look right must keep the member from sending anything. Without the binding to
certificates the same attack reads one member's counts, which the last test does.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from federated_router.crypto import binding as bindings
from federated_router.crypto import (
    ckks,
    opening,
    packed_shamir,
    quantise,
    sealing,
    share_seeds,
)
from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.sealing import Envelope
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.federation import roster_cache
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import RosterMember, RoundState
from federated_router.federation.statements import attempt_of
from federated_router.kit.errors import (
    FederationError,
    RosterMismatch,
    SignatureInvalid,
)
from tests.support.round_coordinator import CATALOGUE, CELL, MemoryCoordinator
from tests.support.round_member import Certificates, RunningMember


@dataclass(frozen=True, slots=True)
class Attacker:
    """What a hostile coordinator can bring: keys, and certificates that it holds."""

    keys: MemberKeys
    coordinator: Credentials
    stranger: Credentials
    enrolled: Credentials


Substitution = Callable[[RosterMember, Attacker], RosterMember]


def with_keys(entry: RosterMember, keys: PublicKeys) -> RosterMember:
    """Return an entry under the old binding's signature."""
    announcement = entry.announcement
    altered = replace(announcement.binding, keys=keys)
    return replace(entry, announcement=replace(announcement, binding=altered))


def sealing_key(entry: RosterMember, attacker: Attacker) -> RosterMember:
    """Replace only what shares are sealed to."""
    old = entry.announcement.binding.keys
    new = PublicKeys(old.signing, attacker.keys.public.sealing)
    return with_keys(entry, new)


def signing_key(entry: RosterMember, attacker: Attacker) -> RosterMember:
    """Replace only what contributions are verified with."""
    old = entry.announcement.binding.keys
    new = PublicKeys(attacker.keys.public.signing, old.sealing)
    return with_keys(entry, new)


def exchanged_keys(entry: RosterMember, _: Attacker) -> RosterMember:
    """Take the sealing key for the signing key."""
    old = entry.announcement.binding.keys
    return with_keys(entry, PublicKeys(old.sealing, old.signing))


def bound_by(
    entry: RosterMember, attacker: Attacker, credentials: Credentials
) -> RosterMember:
    """Bind the attacker's keys to the victim's name with any certificate."""
    made = bindings.bind(
        attacker.keys.public,
        member=entry.member,
        not_after_s=entry.announcement.binding.not_after_s,
        certificate_key=credentials.certificate_key,
    )
    announcement = replace(
        entry.announcement, binding=made, certificate_der=credentials.certificate_der
    )
    return replace(entry, announcement=announcement)


def bound_by_coordinator(entry: RosterMember, attacker: Attacker) -> RosterMember:
    """Use the coordinator's own certificate, of the same authority."""
    return bound_by(entry, attacker, attacker.coordinator)


def bound_by_stranger(entry: RosterMember, attacker: Attacker) -> RosterMember:
    """Use a certificate of the victim's name from another authority."""
    return bound_by(entry, attacker, attacker.stranger)


def bound_by_another_member(entry: RosterMember, attacker: Attacker) -> RosterMember:
    """Use the certificate of a member that the coordinator has corrupted."""
    return bound_by(entry, attacker, attacker.enrolled)


def renewed_by_victims_certificate(
    entry: RosterMember, attacker: Attacker
) -> RosterMember:
    """Show the victim's certificate over a signature of another key."""
    forged = bound_by(entry, attacker, attacker.coordinator).announcement.binding
    announcement = replace(entry.announcement, binding=forged)
    return replace(entry, announcement=announcement)


SUBSTITUTIONS: tuple[Substitution, ...] = (
    sealing_key,
    signing_key,
    exchanged_keys,
    bound_by_coordinator,
    bound_by_stranger,
    bound_by_another_member,
    renewed_by_victims_certificate,
)


@pytest.fixture
def attacker(certificates: Certificates, strangers: Certificates) -> Attacker:
    """Give the attacker everything but the victims' private keys."""
    return Attacker(
        MemberKeys.generate(),
        certificates.credentials("coordinator/main"),
        strangers.credentials("node/node-2"),
        certificates.credentials("node/mallory"),
    )


async def revealing(
    hostile: MemoryCoordinator, victims: list[RunningMember]
) -> MemoryCoordinator:
    """Lead the round up to its roster."""
    for round_ in (hostile.round, hostile.end_joining()):
        for running in victims:
            await running.member.act(round_)
    hostile.end_revealing()
    return hostile


def show(hostile: MemoryCoordinator, entries: dict[int, RosterMember]) -> None:
    """Show a roster with other entries, its hash and its beacon made to fit."""
    roster = list(hostile.round.roster)
    for index, entry in entries.items():
        roster[index] = entry
    hostile.round = replace(hostile.round, roster=tuple(roster))
    hostile.with_recomputed_hashes(RoundState.COLLECTING)


async def test_member_sends_nothing_to_a_roster_with_a_substituted_key(
    hostile: MemoryCoordinator, victims: list[RunningMember], attacker: Attacker
) -> None:
    """One entry is the attacker's; hash and beacon follow from the altered roster."""
    await revealing(hostile, victims)
    honest = hostile.round

    for substitute in SUBSTITUTIONS:
        hostile.round = honest
        show(hostile, {1: substitute(honest.roster[1], attacker)})
        with pytest.raises(SignatureInvalid):
            await victims[0].member.act(hostile.round)
    assert hostile.sent == []


async def test_member_whose_own_key_was_substituted_sends_nothing(
    hostile: MemoryCoordinator, victims: list[RunningMember], attacker: Attacker
) -> None:
    """The others would be shown keys that it never announced; it sees that itself."""
    await revealing(hostile, victims)
    show(hostile, {0: sealing_key(hostile.round.roster[0], attacker)})

    for running in victims:
        with pytest.raises(FederationError) as refused:
            await running.member.act(hostile.round)
        alone = running is victims[0]
        assert isinstance(refused.value, RosterMismatch if alone else SignatureInvalid)
    assert hostile.sent == []


async def test_substituted_keys_read_one_member_where_bindings_are_not_verified(
    hostile: MemoryCoordinator,
    victims: list[RunningMember],
    attacker: Attacker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same attack to its end, with the one guard taken away."""
    monkeypatch.setattr(roster_cache, "verify_binding", lambda *_, **__: None)
    await revealing(hostile, victims)
    mine = {index: MemberKeys.generate() for index in (1, 2, 3)}
    show(
        hostile,
        {
            index: sealing_key(
                hostile.round.roster[index], replace(attacker, keys=keys)
            )
            for index, keys in mine.items()
        },
    )
    victim = victims[0].member.name
    await victims[0].member.act(hostile.round)

    body = hostile.contributions[victim].body
    roster = hostile.roster
    layout = BodyLayout(1, roster.thresholds)
    attempt = attempt_of(hostile.round.name)
    shares = {}
    for index, keys in mine.items():
        public = PublicKeys(keys.public.signing, keys.public.sealing)
        holder = roster.members[index]
        assert holder.announcement.binding.keys.sealing == public.sealing
        opened = sealing.unseal(
            layout.sealed_for(body, index + 1),
            keys=keys,
            sender=roster.keys_of(victim),
            envelope=Envelope(attempt, roster.hash, victim, holder.member),
        )
        dealt = share_seeds.share_of(opened, roster.thresholds, holder=index + 1)
        shares[index + 1] = packed_shamir.sum_shares([dealt])
    secret = opening.open_secret(shares, thresholds=roster.thresholds, contributors=1)
    polynomials = public_polynomials(attempt, roster.hash, roster.beacon, count=1)
    total = ckks.sum_bodies([body[:CIPHERTEXT_BYTES]], polynomials=polynomials)
    slots = ckks.open_sum(total, secret.secret)
    told = quantise.without_count(slots, accepted=1, slots=CATALOGUE.statistic_slots)
    assert CATALOGUE.decode(tuple(map(int, told))).performance[CELL].successes == 1
