"""Certificates that vouch for keys: the chain, the names, the key.

Decides when a certificate is valid under the federation's authorities at a given time.
Refuses to know what it vouches for, revocation, and what time it is.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification

from federated_router.kit.errors import SignatureInvalid

_CHAIN_DEPTH_MAX = 2


def verified_certificate(
    certificate_der: bytes, *, authorities_pem: bytes, now_s: float
) -> x509.Certificate:
    """Return a certificate that the authorities issued and that is valid now.

    It serves as client and as server, so no key usage is demanded; an authority's own
    certificate is refused. Raises SignatureInvalid.
    """
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
    except (ValueError, x509.InvalidVersion) as error:
        raise SignatureInvalid("The certificate cannot be read.") from error
    try:
        authorities = x509.load_pem_x509_certificates(authorities_pem)
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(authorities))
            .time(datetime.fromtimestamp(now_s, tz=UTC))
            .max_chain_depth(_CHAIN_DEPTH_MAX)
            .extension_policies(ca_policy=_authority(), ee_policy=_holder())
            .build_client_verifier()
        )
        verifier.verify(certificate, [])
    except (verification.VerificationError, ValueError) as error:
        raise SignatureInvalid(
            "The certificate is not valid under this federation's authority."
        ) from error
    return certificate


def uris_of(certificate: x509.Certificate) -> list[str]:
    """Return the URIs among the certificate's names; raise SignatureInvalid."""
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension) as error:
        raise SignatureInvalid("The certificate's names cannot be read.") from error
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


def verify_by_certificate(
    certificate: x509.Certificate, signature: bytes, message: bytes
) -> None:
    """Accept an ECDSA P-256 SHA-256 signature by the certificate's key.

    Raises SignatureInvalid for any other kind of key or signature.
    """
    key = certificate.public_key()
    if not (
        isinstance(key, ec.EllipticCurvePublicKey)
        and isinstance(key.curve, ec.SECP256R1)
    ):
        raise SignatureInvalid("The certificate's key is not one of P-256.")
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise SignatureInvalid("The certificate's key did not sign this.") from error


def _authority() -> verification.ExtensionPolicy:
    """Demand an issuer that may issue, which the verifier itself reads from this."""
    return verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
    )


def _holder() -> verification.ExtensionPolicy:
    """Demand a name, and no right to issue."""
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(
            x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
        )
        .may_be_present(
            x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_no_authority
        )
    )


def _is_no_authority(
    _policy: verification.Policy,
    _certificate: x509.Certificate,
    constraints: x509.BasicConstraints | None,
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("An authority is no holder.")
