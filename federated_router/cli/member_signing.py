"""What an operator signs with the authority's key, and the files that this leaves.

Decides that a revocation is never taken back by accident: the next list holds what the
last one here and the coordinator's held, under a higher number than both. Refuses to
know the coordinator's word beyond lists that the authority signed.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import FieldInvalid, NotIdentified
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import RevocationList
from federated_router.kit.tls_files import read_tls, write_durably

LIST_FILE = "revocations.crl"


def identity(member: str, domain: str) -> Identity:
    """Return the identity of `node/ID` or `router/ID`."""
    role, _, peer_id = member.partition("/")
    return Identity(role=Role(role), id=peer_id, trust_domain=domain)


def issued(
    member: str,
    directory: Path,
    *,
    authority: Authority,
    domain: str,
    hosts: Sequence[str],
    lifetime: timedelta,
) -> IdentityFiles:
    """Return the member's files in `directory`, issuing them where there are none."""
    holder = identity(member, domain)
    files = IdentityFiles(
        certificate=directory / f"{holder.id}.crt",
        private_key=directory / f"{holder.id}.key",
        authority=directory / "ca.crt",
    )
    if not (files.certificate.exists() or files.private_key.exists()):
        return authority.issue(holder, directory, hosts=hosts, lifetime=lifetime)
    _refuse_unusable(files, holder)
    return files


def certificate_der(path: Path) -> bytes:
    """Return a certificate (PEM) as DER; raise FieldInvalid for another file."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise FieldInvalid(
            f"{path} holds no certificate (PEM).", field="certificate"
        ) from error
    return found.public_bytes(Encoding.DER)


def revocation_list(
    authority: Authority,
    directory: Path,
    *,
    published: bytes,
    serials: Iterable[int],
) -> RevocationList:
    """Return a signed list that adds `serials` to all that was ever revoked."""
    path, trusted = list_path(directory), authority.certificate_pem
    known = [one for one in (published, _content(path)) if one]
    lists = [RevocationList.verified(one, authorities_pem=trusted) for one in known]
    revoked = {*serials}.union(*(one.serials for one in lists))
    der = authority.revocation_list(
        revoked,
        number=1 + max((one.number for one in lists), default=0),
        now=datetime.now(tz=UTC),
    )
    return RevocationList.verified(der, authorities_pem=trusted)


def keep_list(directory: Path, signed: RevocationList) -> None:
    """Keep a published list beside the authority, as the last one."""
    write_durably(list_path(directory), signed.der, mode=0o644)


def list_path(directory: Path) -> Path:
    """Return where the last list lies."""
    return directory / LIST_FILE


def renewed(
    authority: Authority,
    member: str,
    signing_request_der: bytes,
    *,
    domain: str,
    hosts: Sequence[str],
    lifetime: timedelta,
) -> bytes:
    """Return a certificate (DER) for a member's request, under its own name only."""
    return authority.sign_request(
        identity(member, domain), signing_request_der, hosts=hosts, lifetime=lifetime
    )


def _refuse_unusable(files: IdentityFiles, holder: Identity) -> None:
    """Raise FieldInvalid for files that are no usable pair of this holder."""
    tls = TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
    )
    try:
        content = read_tls(tls)
    except (OSError, NotIdentified) as error:
        raise FieldInvalid(
            f"{files.certificate.parent} holds files of {holder.id} that are of no "
            f"use ({error}); move them away, or name another folder.",
            field="out",
        ) from error
    found = x509.load_pem_x509_certificate(content.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    if uris != [holder.uri]:
        raise FieldInvalid(
            f"{files.certificate} is the certificate of {', '.join(uris)}; name "
            "another folder.",
            field="out",
        )


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
