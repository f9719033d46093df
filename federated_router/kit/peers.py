"""Which peers a server lets in, beyond role and trust domain, and whom it sends away.

Decides by the certificate that the connection showed: one that was revoked, or that
expired while the connection stood, is refused with every new call, and the calls of a
certificate that is revoked end at once. What else a daemon demands of its callers is
its own `CallGate`. Refuses to know lists' sources and the daemon's rules.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from cryptography import x509

from federated_router.kit.errors import FederationError, MemberRevoked, NotIdentified
from federated_router.kit.identity import Identity
from federated_router.kit.revocation import RevocationList, Revocations

CERTIFICATES_MAX: Final = 4096
"""How many certificates are remembered by what matters of them."""


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What matters of a peer's certificate; `expire_s` is a Unix time."""

    serial: int
    expire_s: float


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls what, by which certificate."""

    identity: Identity
    certificate: PeerCertificate
    method: str


class CallGate(Protocol):
    """A daemon's own rules about its callers."""

    def admit(self, caller: Caller) -> None:
        """Raise a FederationError for a call that may not run."""
        ...

    def failed(self, caller: Caller, error: FederationError) -> None:
        """Hear how an admitted call failed."""
        ...


class Heard:
    """Tells the daemon's gate how an admitted call failed."""

    __slots__ = ("_caller", "_gate")

    def __init__(self, gate: CallGate | None, caller: Caller) -> None:
        self._gate = gate
        self._caller = caller

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._gate is not None and isinstance(error, FederationError):
            self._gate.failed(self._caller, error)


@dataclass(slots=True, eq=False)
class _Running:
    """A call in its task, and whether its peer was revoked meanwhile.

    While inside it stands among `calls`, by its certificate's serial number.
    """

    task: asyncio.Task[object]
    serial: int
    calls: "dict[int, set[_Running]]"
    revoked: MemberRevoked | None = None

    def __enter__(self) -> None:
        self.calls.setdefault(self.serial, set()).add(self)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        entries = self.calls[self.serial]
        entries.discard(self)
        if not entries:
            del self.calls[self.serial]
        if self.revoked is not None and isinstance(error, asyncio.CancelledError):
            self.task.uncancel()
            raise self.revoked from None


class Peers:
    """Guards one server; all of it on the event loop's thread."""

    def __init__(
        self,
        revocations: Revocations,
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._revocations = revocations
        self._now_s = now_s
        self._running: dict[int, set[_Running]] = {}
        revocations.listen(self._send_away)

    def admit(self, certificate: PeerCertificate) -> None:
        """Raise MemberRevoked or NotIdentified for what does not stand any more."""
        self._revocations.current.refuse_serial(certificate.serial)
        if certificate.expire_s < self._now_s():
            raise NotIdentified(
                "The certificate has expired; connect anew with its successor."
            )

    def running(self, certificate: PeerCertificate) -> "_Running":
        """Return what holds a call; MemberRevoked ends one whose certificate falls."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - gRPC runs every handler in a task.
        return _Running(task, certificate.serial, self._running)

    def _send_away(self, found: RevocationList) -> None:
        for serial in found.serials & self._running.keys():
            for entry in self._running[serial]:
                try:
                    found.refuse_serial(serial)
                except MemberRevoked as revoked:
                    entry.revoked = revoked
                    entry.task.cancel()


@lru_cache(maxsize=CERTIFICATES_MAX)
def peer_certificate(pem: bytes) -> PeerCertificate:
    """Return what matters of a certificate that TLS has verified."""
    parsed = x509.load_pem_x509_certificate(pem)
    return PeerCertificate(parsed.serial_number, parsed.not_valid_after_utc.timestamp())
