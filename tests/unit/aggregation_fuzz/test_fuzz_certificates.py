"""Certificates, key bindings and signatures of sets, mutated byte by byte.

All of them reach members through the coordinator. None may vouch for anything once a
byte of it has changed, and none may end a daemon with an error of a library.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from federated_router.crypto import binding
from federated_router.crypto.binding import KeyBinding, verify_binding
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.credentials import Credentials
from federated_router.federation.statements import Contributor
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
    sign_contributors,
    sign_survivors,
    verify_contributors,
    verify_survivors,
)
from federated_router.kit.errors import FederationError, SignatureInvalid
from tests.support.refusals import refusal_of
from tests.support.round_member import Certificates
from tests.unit.aggregation_fuzz.mutations import bounded, known_version, mutated

# Certificates are issued when a test first asks for them, minutes after this line runs.
NOW_S = time.time() + 1800
ROUND = "rounds/fuzz"
ROSTER = RosterHash(bytes(range(32)))
ONE, TWO = MemberName("node/one"), MemberName("node/two")
OWN = MemberKeys.generate()
few = settings(max_examples=30, deadline=None)
no_warning = pytest.mark.filterwarnings("ignore::UserWarning")
"""The library warns about serial numbers that later releases will refuse."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A member's binding, a coordinator's signed sets, and whom both trust."""

    member: Credentials
    binding: KeyBinding
    contributors: ContributorSet
    survivors: SurvivorSet


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Bound:
    """Give what a certificate vouches for."""
    certificates = Certificates(tmp_path_factory.mktemp("pki"))
    member = certificates.credentials("node/one")
    coordinator = certificates.credentials("coordinator/main")
    contributors = tuple(
        Contributor(number, bytes(32), bytes(64)) for number in (1, 2, 3)
    )
    key = coordinator.certificate_key
    signed = ContributorSet(
        contributors,
        sign_contributors(ROUND, ROSTER, contributors, certificate_key=key),
        coordinator.certificate_der,
    )
    survivors = sign_survivors(
        ROUND,
        ROSTER,
        (1, 3),
        contributors_sha256=signed.sha256(ROUND, ROSTER),
        certificate_key=key,
    )
    return Bound(
        member,
        binding.bind(
            OWN.public,
            member=ONE,
            not_after_s=int(NOW_S) + 3600,
            certificate_key=member.certificate_key,
        ),
        signed,
        SurvivorSet((1, 3), survivors, coordinator.certificate_der),
    )


def verify(bound: Bound, claim: KeyBinding, certificate_der: bytes) -> None:
    """Verify a binding as members and the coordinator do."""
    verify_binding(
        claim,
        certificate_der=certificate_der,
        authorities_pem=bound.member.trust.authorities_pem,
        trust_domain=bound.member.trust.trust_domain,
        now_s=NOW_S,
    )


def verify_keys(bound: Bound, joined: bytes) -> None:
    """Verify the binding with other keys in it."""
    keys = PublicKeys(joined[:32], joined[32:])
    verify(bound, replace(bound.binding, keys=keys), bound.member.certificate_der)


def test_unmutated_bindings_and_sets_are_believed(bound: Bound) -> None:
    """What the mutations start from is valid; without this they would prove nothing."""
    trust, digest = bound.member.trust, bound.contributors.sha256(ROUND, ROSTER)
    keys = bound.binding.keys
    checks: list[Callable[[], object]] = [
        lambda: verify_keys(bound, keys.signing + keys.sealing),
        lambda: verify_contributors(
            ROUND, ROSTER, bound.contributors, trust=trust, now_s=NOW_S
        ),
        lambda: verify_survivors(
            ROUND,
            ROSTER,
            bound.survivors,
            contributors_sha256=digest,
            trust=trust,
            now_s=NOW_S,
        ),
    ]

    assert [refusal_of(check) for check in checks] == [None] * len(checks)


@no_warning
@few
@given(data=st.data())
def test_mutated_certificate_never_vouches(bound: Bound, data: st.DataObject) -> None:
    """Every byte of a certificate is under its authority's signature."""
    changed = data.draw(mutated(bound.member.certificate_der))
    assume(known_version(changed))

    with bounded(), pytest.raises(SignatureInvalid):
        verify(bound, bound.binding, changed)


def test_certificate_of_an_unknown_version_is_refused_by_name(bound: Bound) -> None:
    """X.509 version 2 as the peer of a federation: refused, as any other rubbish."""
    der = bound.member.certificate_der
    version = der.index(bytes.fromhex("a003020102")) + 4

    with pytest.raises(SignatureInvalid):
        verify(bound, bound.binding, der[:version] + b"\x01" + der[version + 1 :])


@few
@given(data=st.data())
def test_mutated_binding_signature_never_vouches(
    bound: Bound, data: st.DataObject
) -> None:
    """ECDSA signatures come in DER, whose lengths are fuzzed too."""
    changed = data.draw(mutated(bound.binding.signature))

    with bounded(), pytest.raises(SignatureInvalid):
        verify(
            bound,
            replace(bound.binding, signature=changed),
            bound.member.certificate_der,
        )


@few
@given(data=st.data())
def test_mutated_keys_are_never_vouched_for(bound: Bound, data: st.DataObject) -> None:
    """Neither key may change under a binding."""
    keys = bound.binding.keys
    joined = data.draw(mutated(keys.signing + keys.sealing))

    with bounded(), pytest.raises(FederationError):
        verify_keys(bound, joined)


@few
@given(name=st.text(max_size=80))
def test_any_name_is_refused_that_the_certificate_does_not_carry(
    bound: Bound, name: str
) -> None:
    """Names come from rosters, which a coordinator writes."""
    assume(name != ONE)

    with bounded(), pytest.raises(SignatureInvalid):
        verify(
            bound,
            replace(bound.binding, member=MemberName(name)),
            bound.member.certificate_der,
        )


@no_warning
@few
@given(data=st.data())
def test_mutated_contributor_set_is_never_believed(
    bound: Bound, data: st.DataObject
) -> None:
    """Signature, certificate, numbers, digests and members' signatures."""
    claim = bound.contributors
    part = data.draw(st.sampled_from(["signature", "certificate", "entry"]))
    if part == "signature":
        claim = replace(claim, signature=data.draw(mutated(claim.signature)))
    elif part == "certificate":
        changed = data.draw(mutated(claim.certificate_der))
        assume(known_version(changed))
        claim = replace(claim, certificate_der=changed)
    else:
        first, *others = claim.contributors
        altered = data.draw(
            st.one_of(
                st.integers().map(lambda number: replace(first, number=number)),
                mutated(first.sha256).map(lambda sha: replace(first, sha256=sha)),
                mutated(first.signature).map(lambda by: replace(first, signature=by)),
            )
        )
        assume(altered != first)
        claim = replace(claim, contributors=(altered, *others))

    with bounded(), pytest.raises(FederationError):
        verify_contributors(ROUND, ROSTER, claim, trust=bound.member.trust, now_s=NOW_S)


@no_warning
@few
@given(data=st.data())
def test_mutated_survivor_set_is_never_believed(
    bound: Bound, data: st.DataObject
) -> None:
    """Signature, certificate, any other numbers, and another contributor set."""
    claim, digest = bound.survivors, bound.contributors.sha256(ROUND, ROSTER)
    part = data.draw(st.sampled_from(["signature", "certificate", "numbers", "set"]))
    if part == "signature":
        claim = replace(claim, signature=data.draw(mutated(claim.signature)))
    elif part == "certificate":
        changed = data.draw(mutated(claim.certificate_der))
        assume(known_version(changed))
        claim = replace(claim, certificate_der=changed)
    elif part == "numbers":
        numbers = tuple(data.draw(st.lists(st.integers(), max_size=5)))
        assume(numbers != claim.survivors)
        claim = replace(claim, survivors=numbers)
    else:
        digest = data.draw(mutated(digest))

    with bounded(), pytest.raises(FederationError):
        verify_survivors(
            ROUND,
            ROSTER,
            claim,
            contributors_sha256=digest,
            trust=bound.member.trust,
            now_s=NOW_S,
        )
