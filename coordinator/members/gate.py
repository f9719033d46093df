"""Who is let in as a member.

Decides from what operators enrolled and revoked, held in memory so that a call waits
for no database. Refuses to know how it is stored and what the call does.
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509

from coordinator.members.conduct import Conducts
from coordinator.members.identity_checks import MEMBER_ROLES
from coordinator.members.record import MemberRecord
from coordinator.members.settings import Enrolment
from federated_router.crypto.transcript import MemberName
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    CiphertextMalformed,
    FederationError,
    InvalidInput,
    MemberNotEnrolled,
    MemberRevoked,
    RosterMismatch,
    SignatureInvalid,
)
from federated_router.kit.peers import Caller
from federated_router.kit.revocation import Revocations

_LISTS: Final = frozenset({"GetRevocations", "WatchRevocations"})
_MALFORMED: Final = (InvalidInput, RosterMismatch, CiphertextMalformed)


Admit = Callable[[MemberName, bytes], None]
"""Lets a member in by a certificate (DER), or raises why not."""


def admit_everybody(_member: MemberName, _certificate_der: bytes) -> None:
    """Let everybody in: for rounds without a coordinator's gate."""


class Directory:
    """Members that operators enrolled or revoked, by name and by certificate."""

    def __init__(self) -> None:
        self._records: dict[MemberName, MemberRecord] = {}
        self._holders: dict[int, MemberName] = {}

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: MemberRecord) -> None:
        """Take a member in, or in another state."""
        self._records[record.name] = record
        for serial in record.serials:
            self._holders[serial] = record.name

    def of(self, member: MemberName) -> MemberRecord | None:
        """Return a member; None for one that nobody enrolled or revoked."""
        return self._records.get(member)

    def holder(self, serial: int) -> MemberName | None:
        """Return whose certificate this is."""
        return self._holders.get(serial)

    def names(self) -> list[MemberName]:
        """Return every name."""
        return list(self._records)


class MemberGate:
    """Answers the one question that rounds ask: may this member take part."""

    def __init__(
        self, directory: Directory, revocations: Revocations, *, enrolment: Enrolment
    ) -> None:
        self._directory = directory
        self._revocations = revocations
        self._required = enrolment is Enrolment.REQUIRED

    def admit(self, member: MemberName, certificate_der: bytes) -> None:
        """Let a member in by the certificate that vouches for its keys.

        Raises MemberRevoked, MemberNotEnrolled, or SignatureInvalid for bytes that are
        no certificate. That the certificate is the member's is checked elsewhere.
        """
        try:
            certificate = x509.load_der_x509_certificate(certificate_der)
        except (ValueError, x509.InvalidVersion) as error:
            raise SignatureInvalid("The certificate cannot be read.") from error
        self._revocations.current.refuse(certificate)
        self.admit_serial(member, certificate.serial_number)

    def admit_serial(self, member: MemberName, serial: int) -> None:
        """Let a member in by the number of a certificate that was checked already."""
        self.refuse_revoked(member)
        if not self._required:
            return
        record = self._directory.of(member)
        if record is None or not record.enrolled or serial not in record.serials:
            raise MemberNotEnrolled(
                "Ask an operator to enrol this certificate (`member enrol`).",
                metadata={"member": member, "serial": f"{serial:x}"},
            )

    def refuse_revoked(self, member: MemberName) -> None:
        """Raise MemberRevoked for a member that an operator revoked."""
        record = self._directory.of(member)
        if record is not None and record.revoke_s is not None:
            raise MemberRevoked(
                f"{member} was revoked.",
                metadata={"member": member},
            )


class MemberCalls:
    """The coordinator's rule about its callers (`kit.peers.CallGate`).

    Members are held to their enrolment and their rate with every call; operators,
    clients and daemons of other roles to their role alone.
    """

    def __init__(self, gate: MemberGate, conducts: Conducts, clock: Clock) -> None:
        self._gate = gate
        self._conducts = conducts
        self._clock = clock

    def admit(self, caller: Caller) -> None:
        """Raise MemberRevoked, MemberNotEnrolled or RateLimited."""
        if caller.identity.role not in MEMBER_ROLES:
            return
        member = MemberName(caller.identity.member)
        if caller.method.rpartition("/")[2] in _LISTS:
            self._gate.refuse_revoked(member)
        else:
            self._gate.admit_serial(member, caller.certificate.serial)
        self._conducts.admit(
            member, caller.certificate, method=caller.method, now_s=self._clock.now_s()
        )

    def failed(self, caller: Caller, error: FederationError) -> None:
        """Count what a member sent that no honest member sends."""
        member = MemberName(caller.identity.member)
        if caller.identity.role not in MEMBER_ROLES:
            return
        if isinstance(error, SignatureInvalid):
            self._conducts.signature_failed(member, now_s=self._clock.now_s())
        elif isinstance(error, _MALFORMED):
            self._conducts.malformed(member, now_s=self._clock.now_s())
