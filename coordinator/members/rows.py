"""Rows of members, certificates, lists and renewals: half of `store`.

Decides how each is written and read inside a transaction that `store` opens.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from coordinator import schema
from coordinator.members.record import (
    CertificateRecord,
    MemberRecord,
    Participation,
    RenewalRecord,
)
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import NotFound, RequestIdReused
from federated_router.kit.revocation import RevocationList

ROUNDS_LOOKED_AT: Final = 200
"""How many of the newest rounds tell what a member takes part in."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a call idempotent."""

    id: str
    sha256: bytes


def participation_of(
    members: Collection[MemberName],
) -> Select[tuple[str, bytes, str, float]]:
    """Select member, key, round and opening time, newest round first."""
    rounds, joined, history = schema.rounds, schema.members, schema.history
    newest = (
        select(rounds.c.name, rounds.c.sequence)
        .order_by(rounds.c.sequence.desc())
        .limit(ROUNDS_LOOKED_AT)
        .subquery()
    )
    return (
        select(joined.c.member, joined.c.signing_key, joined.c.round, history.c.enter_s)
        .join(newest, newest.c.name == joined.c.round)
        .join(history, (history.c.round == joined.c.round) & (history.c.position == 0))
        .where(joined.c.member.in_(list(members)))
        .order_by(newest.c.sequence.desc())
    )


def participations(
    rows: Iterable[Row[tuple[str, bytes, str, float]]],
) -> dict[MemberName, Participation]:
    """Return each member's newest round, and since when it has used its key."""
    found: dict[MemberName, Participation] = {}
    keys: dict[MemberName, bytes] = {}
    for row in rows:
        member = MemberName(row.member)
        if member not in found:
            found[member] = Participation(row.round, row.enter_s)
            keys[member] = row.signing_key
        elif row.signing_key == keys[member]:
            found[member] = replace(found[member], key_s=row.enter_s)
    return found


def refuse_reuse(connection: Connection, request: Request) -> None:
    """Raise RequestIdReused for an id that came with another body."""
    table = schema.enrolments
    statement = select(table.c.request_sha256).where(table.c.request_id == request.id)
    stored = connection.execute(statement).scalar()
    if stored is not None and bytes(stored) != request.sha256:
        raise RequestIdReused("This request id was used with another body.")


def put_member(
    connection: Connection, member: MemberName, values: dict[str, object]
) -> None:
    """Write a member's columns, adding the row where there is none."""
    table = schema.enrolments
    changed = connection.execute(
        update(table).where(table.c.member == member).values(values)
    )
    if changed.rowcount == 0:
        given = {"member": member, "revoke_cause": "", **values}
        connection.execute(insert(table).values(given))


def add_certificate(
    connection: Connection, member: MemberName, certificate: CertificateRecord
) -> None:
    """Add a certificate that the member may present."""
    table, serial = schema.member_certificates, f"{certificate.serial:x}"
    known = connection.execute(select(table).where(table.c.serial == serial)).first()
    if known is None:
        connection.execute(
            insert(table).values(
                serial=serial,
                member=member,
                fingerprint=certificate.fingerprint,
                expire_s=certificate.expire_s,
            )
        )


def put_list(connection: Connection, found: RevocationList) -> None:
    """Keep a list in place of older ones."""
    table = schema.revocation_lists
    newest = connection.execute(select(func.max(table.c.number))).scalar() or 0
    if found.number > newest:
        connection.execute(delete(table))
        connection.execute(
            insert(table).values(number=found.number, list_der=found.der)
        )


def read_member(connection: Connection, member: MemberName) -> MemberRecord | None:
    """Return a member; None where there is none."""
    table, held = schema.enrolments, schema.member_certificates
    row = connection.execute(select(table).where(table.c.member == member)).first()
    if row is None:
        return None
    certificates = connection.execute(select(held).where(held.c.member == member))
    return member_of(row, [certificate_of(one) for one in certificates])


def require_member(connection: Connection, member: MemberName) -> MemberRecord:
    """Return a member that this transaction has written."""
    found = read_member(connection, member)
    assert found is not None  # noqa: S101 - written in this transaction.
    return found


def read_renewal(connection: Connection, renewal_id: str) -> RenewalRecord | None:
    """Return a renewal; None where there is none."""
    table = schema.certificate_renewals
    row = connection.execute(select(table).where(table.c.id == renewal_id)).first()
    return None if row is None else renewal_of(row)


def no_renewal(renewal_id: str) -> NotFound:
    """Return the refusal of a renewal that is not there."""
    return NotFound(
        "No such renewal waits or was issued; ask anew.",
        metadata={"name": f"renewals/{renewal_id}"},
    )


def member_of(
    row: Row[tuple[object, ...]], certificates: Iterable[CertificateRecord]
) -> MemberRecord:
    """Return a stored member."""
    return MemberRecord(
        name=MemberName(row.member),
        enrol_s=row.enrol_s,
        seen_s=row.seen_s,
        revoke_s=row.revoke_s,
        revoke_cause=row.revoke_cause,
        certificates=tuple(sorted(certificates, key=lambda one: one.expire_s)),
    )


def certificate_of(row: Row[tuple[object, ...]]) -> CertificateRecord:
    """Return a stored certificate."""
    return CertificateRecord(
        serial=int(row.serial, 16),
        fingerprint=bytes(row.fingerprint),
        expire_s=row.expire_s,
    )


def renewal_of(row: Row[tuple[object, ...]]) -> RenewalRecord:
    """Return a stored renewal."""
    return RenewalRecord(
        id=row.id,
        member=MemberName(row.member),
        signing_request_der=bytes(row.signing_request_der),
        request_s=row.request_s,
        expire_s=row.expire_s,
        certificate_der=bytes(row.certificate_der),
    )
