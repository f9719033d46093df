"""Members and renewals as messages: half of `service`."""

from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from coordinator.members.conduct import Conduct
from coordinator.members.offences import Faults
from coordinator.members.record import (
    CertificateRecord,
    MemberRecord,
    Participation,
    RenewalRecord,
)
from federated_router.api.v1 import members_pb2 as pb2
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class Profile:
    """All that is known of a member."""

    name: MemberName
    record: MemberRecord | None
    conduct: Conduct | None
    participation: Participation
    faults: Faults


def member_message(profile: Profile, *, now_s: float) -> pb2.Member:
    """Return a member."""
    record, conduct = profile.record, profile.conduct
    message = pb2.Member(
        name=profile.name,
        state=state_of(record, conduct),
        last_round=profile.participation.last_round,
        offence_count=profile.faults.proven,
        outlying_count=profile.faults.outlying,
        outlying_chance=profile.faults.outlying_chance,
    )
    _set(message.round_key_time, profile.participation.key_s)
    seen_s = max(
        (record.seen_s or 0.0) if record else 0.0, conduct.seen_s if conduct else 0.0
    )
    _set(message.last_seen_time, seen_s or None)
    if record is not None:
        _add_record(message, record)
    if conduct is not None:
        _add_conduct(message, conduct, now_s)
    return message


def state_of(record: MemberRecord | None, conduct: Conduct | None) -> pb2.Member.State:
    """Return how a member stands."""
    if record is not None and record.revoke_s is not None:
        return pb2.Member.STATE_REVOKED
    if record is None or record.enrol_s is None:
        return pb2.Member.STATE_SEEN
    seen_s = conduct.seen_s if conduct else record.seen_s
    if seen_s is None or seen_s < record.enrol_s:
        return pb2.Member.STATE_ENROLLED
    return pb2.Member.STATE_ACTIVE


def renewal_message(renewal: RenewalRecord) -> pb2.CertificateRenewal:
    """Return a renewal."""
    issued = bool(renewal.certificate_der)
    message = pb2.CertificateRenewal(
        name=renewal.name,
        member=renewal.member,
        state=pb2.CertificateRenewal.STATE_ISSUED
        if issued
        else pb2.CertificateRenewal.STATE_PENDING,
        signing_request_der=renewal.signing_request_der,
        certificate_der=renewal.certificate_der,
    )
    _set(message.request_time, renewal.request_s)
    _set(message.expire_time, renewal.expire_s or None)
    return message


def _add_record(message: pb2.Member, record: MemberRecord) -> None:
    message.revoke_cause = record.revoke_cause
    message.certificates.extend(map(_certificate_message, record.certificates))
    _set(message.enrol_time, record.enrol_s)
    _set(message.revoke_time, record.revoke_s)


def _add_conduct(message: pb2.Member, conduct: Conduct, now_s: float) -> None:
    message.rate_limited_count = conduct.rate_limited
    message.malformed_count = conduct.malformed
    message.signature_failure_count = conduct.signature_failures
    if conduct.suspended_until_s > now_s:
        _set(message.suspend_until_time, conduct.suspended_until_s)
    shown = f"{conduct.certificate.serial:x}"
    if shown not in {one.serial for one in message.certificates}:
        seen = message.certificates.add(serial=shown)
        _set(seen.expire_time, conduct.certificate.expire_s)


def _certificate_message(certificate: CertificateRecord) -> pb2.MemberCertificate:
    message = pb2.MemberCertificate(
        serial=f"{certificate.serial:x}",
        fingerprint_sha256=certificate.fingerprint.hex(),
    )
    _set(message.expire_time, certificate.expire_s)
    return message


def _set(field: Timestamp, time_s: float | None) -> None:
    """Set a Unix time; leave the field absent for None."""
    if time_s is not None:
        field.FromNanoseconds(round(time_s * 1e9))
