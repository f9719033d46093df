"""Members, their certificates and their renewals, as they are kept."""

from dataclasses import dataclass, field

from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """What is kept of a member's certificate; `expire_s` is a Unix time."""

    serial: int
    fingerprint: bytes
    expire_s: float


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A member that an operator enrolled or revoked; times are Unix times."""

    name: MemberName
    enrol_s: float | None = None
    seen_s: float | None = None
    revoke_s: float | None = None
    revoke_cause: str = ""
    certificates: tuple[CertificateRecord, ...] = ()

    @property
    def enrolled(self) -> bool:
        """Whether it may take part where enrolment is required."""
        return self.enrol_s is not None and self.revoke_s is None

    @property
    def serials(self) -> frozenset[int]:
        """Return the serial numbers that it may present."""
        return frozenset(one.serial for one in self.certificates)


@dataclass(frozen=True, slots=True)
class RenewalRecord:
    """A signing request of a member; `certificate_der` is empty while it waits."""

    id: str
    member: MemberName
    signing_request_der: bytes = field(repr=False)
    request_s: float
    expire_s: float
    certificate_der: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """Return the resource name."""
        return f"renewals/{self.id}"


@dataclass(frozen=True, slots=True)
class Participation:
    """What the newest rounds tell of a member; `key_s` is a Unix time."""

    last_round: str = ""
    key_s: float | None = None
