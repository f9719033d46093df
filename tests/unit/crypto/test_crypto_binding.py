"""Round keys belong to whom the certificate names, and to nobody else."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from federated_router.crypto.binding import KeyBinding, bind, verify_binding
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import SignatureInvalid

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW_S = START.timestamp() + 3600
DOMAIN = "federation.test"
ONE = MemberName("node/one")


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """Return the certificate as it goes over the wire."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Return the certificate as it lies in a file."""
        return self.certificate.public_bytes(Encoding.PEM)


def issue(
    name: str,
    *,
    issuer: Issued | None = None,
    uris: tuple[str, ...] = (),
    authority: bool = False,
    curve: ec.EllipticCurve | None = None,
    days: int = 30,
) -> Issued:
    """Issue a certificate; self-signed without an issuer."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([*names, x509.DNSName("localhost")]),
            critical=False,
        )
    return Issued(builder.sign((issuer.key if issuer else key), SHA256()), key)


AUTHORITY = issue("authority", authority=True)
MEMBER = issue("one", issuer=AUTHORITY, uris=(f"spiffe://{DOMAIN}/{ONE}",))
KEYS = MemberKeys.generate().public


def bound(
    member: Issued = MEMBER, *, name: MemberName = ONE, lasts_s: int = 86_400
) -> KeyBinding:
    """Bind KEYS with a certificate's key."""
    return bind(
        KEYS, member=name, not_after_s=int(NOW_S) + lasts_s, certificate_key=member.key
    )


def check(
    binding: KeyBinding,
    certificate: Issued = MEMBER,
    *,
    authorities: bytes = AUTHORITY.pem,
    now_s: float = NOW_S,
    trust_domain: str = DOMAIN,
) -> None:
    """Verify as a member of DOMAIN does."""
    verify_binding(
        binding,
        certificate_der=certificate.der,
        authorities_pem=authorities,
        trust_domain=trust_domain,
        now_s=now_s,
    )


def test_binding_by_the_members_certificate_is_accepted() -> None:
    """Also when the federation has more than one authority."""
    binding = bound()

    check(binding)
    check(binding, authorities=issue("old", authority=True).pem + AUTHORITY.pem)

    assert binding.keys == KEYS


def test_certificate_of_another_authority_is_refused() -> None:
    """Even of one that has the same name."""
    other = issue("authority", authority=True)
    stranger = issue("one", issuer=other, uris=(f"spiffe://{DOMAIN}/{ONE}",))

    with pytest.raises(SignatureInvalid, match="authority"):
        check(bound(stranger), stranger)


def test_certificate_signed_by_a_member_is_refused() -> None:
    """A member's key issues nothing."""
    child = issue("two", issuer=MEMBER, uris=(f"spiffe://{DOMAIN}/{ONE}",))

    for authorities in (AUTHORITY.pem, AUTHORITY.pem + MEMBER.pem):
        with pytest.raises(SignatureInvalid):
            check(bound(child), child, authorities=authorities)


def test_authority_is_no_member() -> None:
    """A key that issues certificates does not take part in rounds."""
    issuing = issue(
        "one", issuer=AUTHORITY, uris=(f"spiffe://{DOMAIN}/{ONE}",), authority=True
    )

    with pytest.raises(SignatureInvalid):
        check(bound(issuing), issuing)


def test_certificate_that_signed_itself_is_refused() -> None:
    """Whatever it says about itself."""
    lonely = issue("one", uris=(f"spiffe://{DOMAIN}/{ONE}",))

    with pytest.raises(SignatureInvalid):
        check(bound(lonely), lonely)


@pytest.mark.parametrize(
    "name", ["node/two", "router/one", "node/one/more", "one", "", "node/", "NODE/one"]
)
def test_certificate_of_another_member_is_refused(name: str) -> None:
    """Role and id both count, and only whole names are names."""
    with pytest.raises(SignatureInvalid):
        check(bound(name=MemberName(name)))


def test_certificate_of_another_trust_domain_is_refused() -> None:
    """Federations do not borrow each other's members."""
    with pytest.raises(SignatureInvalid):
        check(bound(), trust_domain="elsewhere.test")


@pytest.mark.parametrize(
    "uris", [(), (f"spiffe://{DOMAIN}/{ONE}", f"spiffe://{DOMAIN}/router/one")]
)
def test_certificate_without_exactly_one_name_is_refused(uris: tuple[str, ...]) -> None:
    """With two names, a certificate would be two members."""
    member = issue("one", issuer=AUTHORITY, uris=uris)

    with pytest.raises(SignatureInvalid):
        check(bound(member), member)


@pytest.mark.parametrize("days", [-1, 31])
def test_certificate_is_refused_outside_its_validity(days: int) -> None:
    """Before it begins and after it ends."""
    now_s = START.timestamp() + days * 86_400

    with pytest.raises(SignatureInvalid, match="authority"):
        check(bound(lasts_s=40 * 86_400), now_s=now_s)


def test_expired_binding_is_refused() -> None:
    """Keys rotate though the certificate lives on."""
    binding = bound(lasts_s=60)

    check(binding, now_s=NOW_S + 59)

    with pytest.raises(SignatureInvalid, match="expired"):
        check(binding, now_s=NOW_S + 61)


def test_substituted_keys_are_refused() -> None:
    """What a coordinator in the middle would do."""
    swapped = dataclasses.replace(bound(), keys=MemberKeys.generate().public)

    with pytest.raises(SignatureInvalid, match="did not sign"):
        check(swapped)


def test_keys_in_exchanged_places_are_refused() -> None:
    """Signing and sealing keys are not each other's."""
    crossed = PublicKeys(signing=KEYS.sealing, sealing=KEYS.signing)

    with pytest.raises(SignatureInvalid, match="did not sign"):
        check(dataclasses.replace(bound(), keys=crossed))


def test_prolonged_binding_is_refused() -> None:
    """The end is signed."""
    binding = bound(lasts_s=60)
    longer = dataclasses.replace(binding, not_after_s=binding.not_after_s + 86_400)

    with pytest.raises(SignatureInvalid, match="did not sign"):
        check(longer)


def test_binding_by_another_certificates_key_is_refused() -> None:
    """Presenting somebody's certificate is not having its key."""
    other = issue("two", issuer=AUTHORITY, uris=(f"spiffe://{DOMAIN}/node/two",))

    with pytest.raises(SignatureInvalid, match="did not sign"):
        check(bound(other))


def test_certificate_of_another_curve_is_refused() -> None:
    """One algorithm, so that nobody negotiates a weaker one."""
    member = issue(
        "one",
        issuer=AUTHORITY,
        uris=(f"spiffe://{DOMAIN}/{ONE}",),
        curve=ec.SECP384R1(),
    )

    with pytest.raises(SignatureInvalid, match="P-256"):
        check(bound(member), member)


@pytest.mark.parametrize("der", [b"", b"nonsense", MEMBER.der[:-1]])
def test_bytes_that_are_no_certificate_are_refused(der: bytes) -> None:
    """They come over the wire."""
    with pytest.raises(SignatureInvalid):
        verify_binding(
            bound(),
            certificate_der=der,
            authorities_pem=AUTHORITY.pem,
            trust_domain=DOMAIN,
            now_s=NOW_S,
        )


def test_signature_of_nonsense_is_refused() -> None:
    """Bytes that are no ECDSA signature at all."""
    with pytest.raises(SignatureInvalid, match="did not sign"):
        check(dataclasses.replace(bound(), signature=b"nonsense"))
