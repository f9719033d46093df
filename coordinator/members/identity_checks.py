"""Whether a certificate, a request or a list is what it is brought for.

Decides by the authority's signature, the name in the certificate and the key of the
request. Refuses to know what is stored. Pure: the time is an argument.
"""

import contextlib
import hashlib
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from coordinator.members.record import CertificateRecord, MemberRecord, RenewalRecord
from federated_router.crypto.certificates import uris_of, verified_certificate
from federated_router.crypto.transcript import MemberName
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.authority import key_of_request
from federated_router.kit.errors import FieldInvalid, SignatureInvalid
from federated_router.kit.identity import SCHEME, Role
from federated_router.kit.names import is_id
from federated_router.kit.peers import PeerCertificate
from federated_router.kit.revocation import FIELD, RevocationList

REQUEST_BYTES_MAX: Final = 4096
CERTIFICATE_BYTES_MAX: Final = 8192
MEMBER_ROLES: Final = frozenset({Role.NODE, Role.ROUTER})


def member_name(text: str) -> MemberName:
    """Return the name of a member, `node/ID` or `router/ID`; raise FieldInvalid."""
    role, _, identifier = text.partition("/")
    if role not in MEMBER_ROLES or not is_id(identifier):
        raise FieldInvalid("Name a member: node/ID or router/ID.", field="member")
    return MemberName(text)


def certificate_for(
    member: MemberName, der: bytes, *, trust: Trust, now_s: float
) -> x509.Certificate:
    """Return a certificate of the authority that names this member and no other.

    Raises FieldInvalid for one that is too large or another's, SignatureInvalid for
    one that the authority did not issue or that is not valid now.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise FieldInvalid(
            f"A certificate has at most {CERTIFICATE_BYTES_MAX} bytes.",
            field="certificate_der",
        )
    found = verified_certificate(
        der, authorities_pem=trust.authorities_pem, now_s=now_s
    )
    if uris_of(found) != [f"{SCHEME}{trust.trust_domain}/{member}"]:
        raise FieldInvalid(
            f"The certificate is not that of {member}.", field="certificate_der"
        )
    return found


def record_of(certificate: x509.Certificate) -> CertificateRecord:
    """Return what is kept of a certificate."""
    der = certificate.public_bytes(Encoding.DER)
    return CertificateRecord(
        serial=certificate.serial_number,
        fingerprint=hashlib.sha256(der).digest(),
        expire_s=certificate.not_valid_after_utc.timestamp(),
    )


def refuse_request(member: MemberName, der: bytes) -> None:
    """Raise FieldInvalid unless `der` is a request for this member's own name."""
    if len(der) > REQUEST_BYTES_MAX:
        raise FieldInvalid(
            f"A signing request has at most {REQUEST_BYTES_MAX} bytes.",
            field="signing_request_der",
        )
    key_of_request(der)
    names: list[str | bytes] = []
    # The subject is parsed on first use; one that cannot be is nobody's name.
    with contextlib.suppress(ValueError, TypeError):
        subject = x509.load_der_x509_csr(der).subject
        common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [one.value for one in common]
    if names != [member]:
        raise FieldInvalid(
            f"Ask for your own name, {member}.", field="signing_request_der"
        )


def refuse_other_key(renewal: RenewalRecord, certificate: x509.Certificate) -> None:
    """Raise SignatureInvalid unless the certificate holds the key of the request."""
    wanted = key_of_request(renewal.signing_request_der)
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if wanted.public_bytes(*encoding) != certificate.public_key().public_bytes(
        *encoding
    ):
        raise SignatureInvalid("The certificate holds another key than the request.")


def refuse_forgetting(found: RevocationList, known: RevocationList) -> None:
    """Raise FieldInvalid for a list that takes a revocation back."""
    missing = known.serials - found.serials
    if missing:
        raise FieldInvalid(
            "The list leaves out certificates that the list before it revoked.",
            field=FIELD,
            metadata={"missing": str(len(missing))},
        )


def refuse_incomplete(
    found: RevocationList, record: MemberRecord, *, now_s: float
) -> None:
    """Raise FieldInvalid for a list that leaves the member a valid certificate."""
    left = [
        one.serial
        for one in record.certificates
        if one.expire_s > now_s and one.serial not in found.serials
    ]
    if left:
        raise FieldInvalid(
            "The list must hold every valid certificate of the member.",
            field=FIELD,
            metadata={"missing": ",".join(f"{serial:x}" for serial in left)},
        )


def refuse_seen(
    found: RevocationList, certificate: PeerCertificate, *, now_s: float
) -> None:
    """Raise FieldInvalid for a list without the certificate that a member showed."""
    if certificate.expire_s > now_s and certificate.serial not in found.serials:
        raise FieldInvalid(
            "The list must hold the certificate that the member called with.",
            field=FIELD,
            metadata={"missing": f"{certificate.serial:x}"},
        )


def refuse_older(found: RevocationList, known: RevocationList) -> None:
    """Raise FieldInvalid for a list that is not newer."""
    if found.number <= known.number:
        raise FieldInvalid(
            "Sign a list with a higher number than the newest one has.",
            field=FIELD,
            metadata={"number": str(found.number), "known": str(known.number)},
        )
