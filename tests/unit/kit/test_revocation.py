"""Revocation lists: genuine, monotone, and never taken back by accident."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.kit.authority import Authority
from federated_router.kit.errors import FieldInvalid, MemberRevoked, SignatureInvalid
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import (
    LIST_BYTES_MAX,
    RevocationList,
    Revocations,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = "a.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority for all tests of the file."""
    return Authority.open(tmp_path_factory.mktemp("ca"), trust_domain=DOMAIN)


def signed(authority: Authority, *serials: int, number: int) -> bytes:
    """Return a list of this authority."""
    return authority.revocation_list(serials, number=number, now=NOW)


@pytest.fixture(scope="module")
def genuine(authority: Authority) -> bytes:
    """Return one list; ECDSA would sign it anew each time."""
    return signed(authority, 5, number=1)


def test_list_says_what_the_authority_signed(authority: Authority) -> None:
    """Number, serial numbers and times come out as they went in."""
    der = signed(authority, 5, 9, number=3)

    found = RevocationList.verified(der, authorities_pem=authority.certificate_pem)

    assert found.number == 3
    assert found.serials == {5, 9}
    assert found.issue_s == NOW.timestamp()
    assert found.due_s > found.issue_s


def test_certificate_on_the_list_is_refused_and_others_are_not(
    authority: Authority, tmp_path: Path
) -> None:
    """The serial number of the certificate itself decides."""
    files = [
        authority.issue(Identity(Role.NODE, name, DOMAIN), tmp_path)
        for name in ("gone", "kept")
    ]
    gone, kept = (
        x509.load_pem_x509_certificate(one.certificate.read_bytes()) for one in files
    )
    der = signed(authority, gone.serial_number, number=1)
    found = RevocationList.verified(der, authorities_pem=authority.certificate_pem)

    found.refuse(kept)
    with pytest.raises(MemberRevoked):
        found.refuse(gone)


def test_list_of_another_authority_of_the_same_name_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """The name is no proof; the signature is."""
    der = signed(Authority.open(tmp_path, trust_domain=DOMAIN), 5, number=1)

    with pytest.raises(SignatureInvalid):
        RevocationList.verified(der, authorities_pem=authority.certificate_pem)


def test_any_of_several_authorities_may_sign(
    authority: Authority, tmp_path: Path
) -> None:
    """While an authority is replaced, both are trusted."""
    other = Authority.open(tmp_path, trust_domain=DOMAIN)
    both = authority.certificate_pem + other.certificate_pem

    for one in (authority, other):
        found = RevocationList.verified(signed(one, 5, number=1), authorities_pem=both)
        assert found.serials == {5}


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_changed_byte_changes_nothing_that_the_list_says(
    authority: Authority, genuine: bytes, data: st.DataObject
) -> None:
    """Nobody adds or removes a certificate on the way."""
    der = bytearray(genuine)
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] ^= data.draw(st.integers(1, 255))
    said = RevocationList.verified(genuine, authorities_pem=authority.certificate_pem)

    try:
        found = RevocationList.verified(
            bytes(der), authorities_pem=authority.certificate_pem
        )
    except (FieldInvalid, SignatureInvalid):
        return

    # The padding of the signature's own encoding is the one thing that nobody signed.
    assert replace(found, der=genuine) == said
    assert place > len(der) - 76


@settings(deadline=None)
@given(der=st.binary(max_size=64))
def test_rubbish_is_no_list(authority: Authority, der: bytes) -> None:
    """What comes from the network is never trusted to parse."""
    with pytest.raises(FieldInvalid) as refused:
        RevocationList.verified(der, authorities_pem=authority.certificate_pem)

    assert refused.value.metadata["field"] == "revocation_list_der"


def test_list_beyond_the_limit_is_not_even_parsed(authority: Authority) -> None:
    """A list must fit into a message, and into a moment of the processor."""
    with pytest.raises(FieldInvalid, match="at most"):
        RevocationList.verified(
            bytes(LIST_BYTES_MAX + 1), authorities_pem=authority.certificate_pem
        )


def test_list_without_a_number_is_refused() -> None:
    """Without one an old list could come back as the newest."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(NOW)
        .next_update(NOW)
        .sign(key, hashes.SHA256())
    )

    with pytest.raises(FieldInvalid, match="number"):
        RevocationList.verified(crl.public_bytes(Encoding.DER), authorities_pem=b"")


def test_newer_list_takes_the_older_ones_place_and_never_the_reverse(
    authority: Authority,
) -> None:
    """Whoever replays an old list must not bring a revoked certificate back."""
    held = Revocations(authorities_pem=authority.certificate_pem)
    heard: list[int] = []
    held.listen(lambda found: heard.append(found.number))
    first, third = signed(authority, 5, number=1), signed(authority, 5, 6, number=3)

    taken = [held.offer(first), held.offer(third), held.offer(third)]
    for der in (first, signed(authority, number=3), signed(authority, number=2)):
        with pytest.raises(FieldInvalid):
            held.offer(der)

    assert taken == [True, True, False]
    assert heard == [1, 3]
    assert held.current.serials == {5, 6}


@settings(deadline=None, max_examples=30)
@given(numbers=st.lists(st.integers(1, 6), max_size=8))
def test_number_in_force_is_the_highest_ever_offered(
    authority: Authority, numbers: list[int]
) -> None:
    """In whatever order lists arrive, by whatever way."""
    held = Revocations(authorities_pem=authority.certificate_pem)

    for number in numbers:
        try:
            held.offer(signed(authority, number, number=number))
        except FieldInvalid:
            continue

    assert held.current.number == max(numbers, default=0)
