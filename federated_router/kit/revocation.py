"""Certificates that the federation's authority has taken back.

Decides which revocation list (X.509 CRL, RFC 5280) is genuine and that a newer one
takes an older one's place, never the reverse. Refuses to know where lists come from,
who is refused for it, and to sign one. Pure but for the holder's own state.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from federated_router.kit.errors import FieldInvalid, MemberRevoked, SignatureInvalid

LIST_BYTES_MAX: Final = 2 * 1024 * 1024
"""About 50,000 certificates; it must fit into one message."""

NUMBER_MAX: Final = 2**63 - 1
# What the library raises for bytes that are no list; they are never trusted to parse.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
)
FIELD: Final = "revocation_list_der"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A verified list. `number` grows with each list; 0 is the list before the first.

    `issue_s` and `due_s` are Unix times; a list past `due_s` still revokes, because
    taking a revocation back must never be a matter of waiting.
    """

    number: int = 0
    serials: frozenset[int] = frozenset()
    issue_s: float = 0.0
    due_s: float = 0.0
    der: bytes = field(default=b"", repr=False)

    @classmethod
    def verified(cls, der: bytes, *, authorities_pem: bytes) -> Self:
        """Return the list in `der`, once one of the authorities has signed it.

        Raises:
            FieldInvalid: no CRL, or one without a number, or too large.
            SignatureInvalid: signed by none of the authorities.
        """
        if len(der) > LIST_BYTES_MAX:
            raise FieldInvalid(
                f"A revocation list has at most {LIST_BYTES_MAX} bytes.", field=FIELD
            )
        try:
            crl = x509.load_der_x509_crl(der)
            number = crl.extensions.get_extension_for_class(x509.CRLNumber)
        except _UNREADABLE as error:
            raise FieldInvalid(
                "This is no revocation list with a number (X.509 CRL, DER).",
                field=FIELD,
            ) from error
        _refuse_foreign(crl, authorities_pem)
        if not 0 < number.value.crl_number <= NUMBER_MAX:
            raise FieldInvalid("A list's number begins at 1.", field=FIELD)
        due = crl.next_update_utc
        return cls(
            number=number.value.crl_number,
            serials=frozenset(one.serial_number for one in crl),
            issue_s=crl.last_update_utc.timestamp(),
            due_s=due.timestamp() if due else 0.0,
            der=der,
        )

    def refuse(self, certificate: x509.Certificate) -> None:
        """Raise MemberRevoked for a certificate on the list."""
        self.refuse_serial(certificate.serial_number)

    def refuse_serial(self, serial: int) -> None:
        """Raise MemberRevoked for the serial number of a certificate on the list."""
        if serial in self.serials:
            raise MemberRevoked(
                "This certificate was revoked.",
                metadata={"serial": f"{serial:x}", "list": str(self.number)},
            )


Listener = Callable[[RevocationList], None]


class Revocations:
    """The newest list that this process holds. Numbers only grow."""

    def __init__(self, *, authorities_pem: bytes) -> None:
        self._authorities_pem = authorities_pem
        self._current = RevocationList()
        self._listeners: list[Listener] = []

    @property
    def current(self) -> RevocationList:
        """Return the newest list."""
        return self._current

    def listen(self, listener: Listener) -> None:
        """Call `listener` with each newer list, at once when it is taken."""
        self._listeners.append(listener)

    def offer(self, der: bytes) -> bool:
        """Take a list that is newer; return whether it was.

        Raises FieldInvalid or SignatureInvalid as `RevocationList.verified` does, and
        FieldInvalid for a number that is lower, or the same with another content.
        """
        if der == self._current.der:
            return False
        return self.take(
            RevocationList.verified(der, authorities_pem=self._authorities_pem)
        )

    def take(self, found: RevocationList) -> bool:
        """Take a verified list as `offer` does."""
        current = self._current
        if found.der == current.der:
            return False
        if found.number <= current.number:
            raise FieldInvalid(
                "A newer revocation list is known; sign one with a higher number.",
                field=FIELD,
                metadata={"number": str(found.number), "known": str(current.number)},
            )
        self._current = found
        for listener in self._listeners:
            listener(found)
        return True


def _refuse_foreign(
    crl: x509.CertificateRevocationList, authorities_pem: bytes
) -> None:
    """Raise SignatureInvalid unless one of the authorities signed the list."""
    for authority in x509.load_pem_x509_certificates(authorities_pem):
        key = authority.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            continue
        # The key decides, not the issuer's name, which anybody may write.
        with contextlib.suppress(InvalidSignature, ValueError, UnsupportedAlgorithm):
            if crl.is_signature_valid(key):
                return
    raise SignatureInvalid("The revocation list is not of this federation's authority.")
