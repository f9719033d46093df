"""A member's certificate is renewed before it expires, without a restart.

Decides when (less than a third of the lifetime is left), draws the new key here, and
takes a certificate only if the authority signed it for this name and this key, for
longer than the one there is. Refuses to know who signs; the key never leaves the
machine, and lies on disk only once its certificate is there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from federated_router.crypto.certificates import uris_of, verified_certificate
from federated_router.federation.grpc_members import Asked
from federated_router.federation.participant import random_jitter
from federated_router.kit.clock import Clock
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import FederationError, SignatureInvalid
from federated_router.kit.identity import Identity
from federated_router.kit.log import get_logger
from federated_router.kit.tls_files import TlsContent, read_tls, replace_pair

RENEW_BELOW: Final = 1 / 3
"""The share of its lifetime that a certificate has left when a new one is wanted."""

POLL_S_MIN: Final = 0.2
POLL_S_MAX: Final = 3600.0
EXPIRED_POLL_S: Final = 60.0
_log = get_logger(__name__)


class RenewalClient(Protocol):
    """Where certificates are asked for."""

    async def request_renewal(self, signing_request_der: bytes) -> Asked:
        """Ask for a certificate (PKCS #10, DER)."""
        ...

    async def renewed_certificate(self, name: str) -> bytes:
        """Return the certificate (DER); empty while it waits."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A new key, and the request that it signed."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    signing_request_der: bytes = field(repr=False)

    @classmethod
    def of(cls, identity: Identity) -> "Draft":
        """Draw a key (P-256, the operating system's randomness) for an identity."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.NameAttribute(NameOID.COMMON_NAME, identity.member)
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([name]))
            .sign(key, SHA256())
        )
        return cls(key, request.public_bytes(Encoding.DER))


def renew_at_s(certificate_pem: bytes) -> float:
    """Return the Unix time from which on a successor is wanted."""
    found = x509.load_pem_x509_certificate(certificate_pem)
    begin_s = found.not_valid_before_utc.timestamp()
    end_s = found.not_valid_after_utc.timestamp()
    return end_s - (end_s - begin_s) * RENEW_BELOW


def refuse_unfit(
    certificate_der: bytes,
    draft: Draft,
    *,
    identity: Identity,
    present: TlsContent,
    now_s: float,
) -> x509.Certificate:
    """Return the certificate, once it is the successor that was asked for.

    Raises SignatureInvalid.
    """
    found = verified_certificate(
        certificate_der, authorities_pem=present.authority, now_s=now_s
    )
    if uris_of(found) != [identity.uri]:
        raise SignatureInvalid("The renewed certificate names somebody else.")
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = draft.key.public_key().public_bytes(*encoding)
    if found.public_key().public_bytes(*encoding) != own:
        raise SignatureInvalid("The renewed certificate holds another key.")
    if found.not_valid_after_utc.timestamp() <= present.expire_s:
        raise SignatureInvalid("The renewed certificate does not last longer.")
    return found


class CertificateRenewal:
    """Renews one daemon's certificate until it is cancelled."""

    def __init__(
        self,
        tls: TlsSettings,
        *,
        identity: Identity,
        client: RenewalClient,
        clock: Clock,
        jitter: Callable[[], float] = random_jitter,
    ) -> None:
        self._tls = tls
        self._identity = identity
        self._client = client
        self._clock = clock
        self._jitter = jitter

    async def run(self) -> None:
        """Wait until a successor is wanted, then ask until it is there; for ever."""
        while True:
            expire_s = self._clock.now_s() + POLL_S_MAX
            try:
                present = await asyncio.to_thread(read_tls, self._tls)
                expire_s = present.expire_s
                wait_s = renew_at_s(present.certificate) - self._clock.now_s()
                if wait_s <= 0:
                    await self._renew(present)
                else:
                    await self._clock.sleep(min(wait_s, POLL_S_MAX))
            except (FederationError, OSError) as error:
                _log.warning(
                    "certificate not renewed",
                    cause=str(error),
                    expire_in_s=round(expire_s - self._clock.now_s()),
                )
                await self._clock.sleep(self._pause_s(expire_s))

    async def _renew(self, present: TlsContent) -> None:
        """Ask, poll, verify, and put the new pair in the old one's place."""
        draft = await asyncio.to_thread(Draft.of, self._identity)
        asked = await self._client.request_renewal(draft.signing_request_der)
        _log.info("certificate renewal asked for", renewal=asked.name)
        der = asked.certificate_der
        while not der:
            pause_s = min(max(asked.poll_interval_s, POLL_S_MIN), POLL_S_MAX)
            await self._clock.sleep(min(pause_s, self._pause_s(present.expire_s)))
            der = await self._client.renewed_certificate(asked.name)
        found = refuse_unfit(
            der,
            draft,
            identity=self._identity,
            present=present,
            now_s=self._clock.now_s(),
        )
        await asyncio.to_thread(
            replace_pair,
            self._tls,
            certificate_pem=found.public_bytes(Encoding.PEM),
            key_pem=draft.key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
        )
        _log.info(
            "certificate renewed", expire_s=round(found.not_valid_after_utc.timestamp())
        )

    def _pause_s(self, expire_s: float) -> float:
        """Return a pause that leaves time for many more attempts before the end."""
        left_s = expire_s - self._clock.now_s()
        bound_s = max(left_s / 50, POLL_S_MIN) if left_s > 0 else EXPIRED_POLL_S
        return min(bound_s, POLL_S_MAX) * (1 + self._jitter()) / 2
