"""What operators and members bring is read with suspicion."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.members.gate import Directory, MemberGate
from coordinator.members.identity_checks import (
    REQUEST_BYTES_MAX,
    certificate_for,
    member_name,
    record_of,
    refuse_request,
)
from coordinator.members.record import CertificateRecord, MemberRecord
from coordinator.members.settings import Enrolment
from federated_router.crypto.transcript import MemberName
from federated_router.federation.renewal import Draft
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.authority import Authority
from federated_router.kit.errors import (
    FieldInvalid,
    MemberNotEnrolled,
    MemberRevoked,
    SignatureInvalid,
)
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import Revocations
from tests.support.refusals import refusal_of

DOMAIN = "a.example"
OWN = Identity(Role.NODE, "n1", DOMAIN)
NAME = MemberName("node/n1")
DRAFT = Draft.of(OWN).signing_request_der
SIGNATURE = x509.load_der_x509_csr(DRAFT).signature
UNUSED_BITS_PLACE = len(DRAFT) - len(SIGNATURE) - 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority for all tests of the file."""
    return Authority.open(tmp_path_factory.mktemp("ca"), trust_domain=DOMAIN)


def now_s() -> float:
    """Return the present."""
    return datetime.now(UTC).timestamp()


def test_request_for_the_own_name_alone_passes() -> None:
    """The check that refuses others lets this one through."""
    other = MemberName("node/n2")

    assert refusal_of(lambda: refuse_request(NAME, DRAFT)) is None
    assert refusal_of(lambda: refuse_request(other, DRAFT)) is FieldInvalid


@settings(deadline=None, max_examples=300)
@given(place=st.integers(0, len(DRAFT) - 1), change=st.integers(1, 255))
def test_request_with_a_changed_byte_is_refused_and_breaks_nothing(
    place: int, change: int
) -> None:
    """The library parses some parts late; none of them may end a daemon.

    It lets the signature's count of unused bits be wrong: the request is then the same.
    """
    der = bytearray(DRAFT)
    der[place] ^= change

    refused = refusal_of(lambda: refuse_request(NAME, bytes(der)))

    if place == UNUSED_BITS_PLACE:
        assert refused in {FieldInvalid, None}
    else:
        assert refused is FieldInvalid


def test_request_beyond_the_limit_is_not_parsed() -> None:
    """Each member keeps one request in the store; it must be small."""
    with pytest.raises(FieldInvalid, match="at most"):
        refuse_request(NAME, DRAFT + bytes(REQUEST_BYTES_MAX))


@pytest.mark.parametrize(
    "name", ["", "n1", "client/a", "node/", "node/A", "operator/o", "node/a/b"]
)
def test_names_of_no_member_are_refused(name: str) -> None:
    """Clients and operators are no members; ids come from one alphabet."""
    with pytest.raises(FieldInvalid):
        member_name(name)


def test_certificate_that_expired_enrols_nobody(
    authority: Authority, tmp_path: Path
) -> None:
    """An operator who enrols the wrong file hears of it at once."""
    start = datetime.now(UTC) - timedelta(days=30)
    files = authority.issue(OWN, tmp_path, lifetime=timedelta(days=1), not_before=start)
    der = _der(files.certificate)

    with pytest.raises(SignatureInvalid):
        certificate_for(
            NAME, der, trust=Trust(authority.certificate_pem, DOMAIN), now_s=now_s()
        )


def test_gate_takes_the_binding_certificate_by_enrolment_and_list(
    authority: Authority, tmp_path: Path
) -> None:
    """The certificate that vouches for round keys need not be the connection's."""
    revocations = Revocations(authorities_pem=authority.certificate_pem)
    directory = Directory()
    gate = MemberGate(directory, revocations, enrolment=Enrolment.REQUIRED)
    der = _der(authority.issue(OWN, tmp_path).certificate)
    trust = Trust(authority.certificate_pem, DOMAIN)
    certificate = record_of(certificate_for(NAME, der, trust=trust, now_s=now_s()))

    assert refusal_of(lambda: gate.admit(NAME, der)) is MemberNotEnrolled
    directory.put(MemberRecord(NAME, enrol_s=1.0, certificates=(certificate,)))
    assert refusal_of(lambda: gate.admit(NAME, der)) is None
    other = MemberName("node/n2")
    assert refusal_of(lambda: gate.admit(other, der)) is MemberNotEnrolled
    revocations.offer(
        authority.revocation_list([certificate.serial], number=1, now=datetime.now(UTC))
    )
    assert refusal_of(lambda: gate.admit(NAME, der)) is MemberRevoked


@pytest.mark.parametrize("enrolment", Enrolment)
def test_revoked_member_is_refused_with_every_certificate(
    enrolment: Enrolment,
) -> None:
    """Also with one that no list names."""
    directory = Directory()
    other = CertificateRecord(7, b"f", 9e9)
    directory.put(MemberRecord(NAME, enrol_s=1.0, revoke_s=2.0, certificates=(other,)))
    gate = MemberGate(directory, Revocations(authorities_pem=b""), enrolment=enrolment)

    assert refusal_of(lambda: gate.admit_serial(NAME, 7)) is MemberRevoked


def test_open_enrolment_lets_every_certificate_of_the_authority_in() -> None:
    """The default of a local federation; one that requires enrolment lets none."""
    open_to_all, closed = (
        MemberGate(Directory(), Revocations(authorities_pem=b""), enrolment=enrolment)
        for enrolment in (Enrolment.OPEN, Enrolment.REQUIRED)
    )

    assert refusal_of(lambda: open_to_all.admit_serial(NAME, 7)) is None
    assert refusal_of(lambda: closed.admit_serial(NAME, 7)) is MemberNotEnrolled


def _der(path: Path) -> bytes:
    pem = path.read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
