"""Where members, revocation lists and renewals are kept.

Decides which changes are one transaction: a member is REVOKED exactly when the list
that says so is stored, and a renewal is issued exactly when its certificate may be
presented. One renewal is kept for each member, the newest. Refuses to know rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, update

from coordinator import schema
from coordinator.members import rows
from coordinator.members.record import (
    CertificateRecord,
    MemberRecord,
    Participation,
    RenewalRecord,
)
from coordinator.members.rows import Request
from federated_router.crypto.transcript import MemberName
from federated_router.kit.database import Database
from federated_router.kit.errors import Conflict, MemberRevoked
from federated_router.kit.revocation import RevocationList


class MemberStore:
    """Reads and writes members."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def members(self) -> list[MemberRecord]:
        """Return every member that was enrolled or revoked."""
        async with self._database.read("members") as connection:
            found = (await connection.execute(select(schema.enrolments))).all()
            held = (await connection.execute(select(schema.member_certificates))).all()
        certificates: dict[str, list[CertificateRecord]] = {}
        for row in held:
            certificates.setdefault(row.member, []).append(rows.certificate_of(row))
        return [rows.member_of(row, certificates.get(row.member, ())) for row in found]

    async def newest_list(self) -> bytes:
        """Return the newest revocation list; empty before the first."""
        lists = schema.revocation_lists
        statement = select(lists.c.list_der).order_by(lists.c.number.desc()).limit(1)
        async with self._database.read("revocation list") as connection:
            return bytes((await connection.execute(statement)).scalar() or b"")

    async def enrol(
        self,
        member: MemberName,
        certificate: CertificateRecord,
        *,
        request: Request,
        now_s: float,
    ) -> MemberRecord:
        """Enrol a member, or return the enrolment that this request made.

        Raises RequestIdReused, or Conflict for one enrolled with another certificate.
        """

        def work(connection: Connection) -> MemberRecord:
            rows.refuse_reuse(connection, request)
            known = rows.read_member(connection, member)
            if known is not None and known.enrolled:
                if certificate.serial not in known.serials:
                    raise Conflict(
                        f"{member} is enrolled with another certificate; revoke that "
                        "first, or renew it.",
                        metadata={"member": member},
                    )
                return known
            values = {
                "request_id": request.id,
                "request_sha256": request.sha256,
                "enrol_s": now_s,
                "revoke_s": None,
                "revoke_cause": "",
            }
            rows.put_member(connection, member, values)
            rows.add_certificate(connection, member, certificate)
            return rows.require_member(connection, member)

        return await self._database.write("enrol member", work)

    async def revoke(
        self, member: MemberName, found: RevocationList, *, cause: str, now_s: float
    ) -> MemberRecord:
        """Store the list and revoke the member; again it changes nothing."""

        def work(connection: Connection) -> MemberRecord:
            rows.put_list(connection, found)
            known = rows.read_member(connection, member)
            if known is None or known.revoke_s is None:
                values = {"revoke_s": now_s, "revoke_cause": cause}
                rows.put_member(connection, member, values)
            renewals = schema.certificate_renewals
            connection.execute(delete(renewals).where(renewals.c.member == member))
            return rows.require_member(connection, member)

        return await self._database.write("revoke member", work)

    async def keep_list(self, found: RevocationList) -> None:
        """Store a list."""
        await self._database.write(
            "keep revocation list", lambda connection: rows.put_list(connection, found)
        )

    async def keep_seen(self, seen_s: dict[MemberName, float]) -> None:
        """Store when enrolled members called last."""

        def work(connection: Connection) -> None:
            table = schema.enrolments
            for member, at_s in seen_s.items():
                connection.execute(
                    update(table).where(table.c.member == member).values(seen_s=at_s)
                )

        await self._database.write("members seen", work)

    async def ask_renewal(self, wanted: RenewalRecord) -> RenewalRecord:
        """Store a request in place of the member's last; the same changes none."""

        def work(connection: Connection) -> RenewalRecord:
            table = schema.certificate_renewals
            known = rows.read_renewal(connection, wanted.id)
            if known is not None:
                return known
            connection.execute(delete(table).where(table.c.member == wanted.member))
            connection.execute(
                insert(table).values(
                    id=wanted.id,
                    member=wanted.member,
                    signing_request_der=wanted.signing_request_der,
                    request_s=wanted.request_s,
                    expire_s=wanted.expire_s,
                    certificate_der=b"",
                )
            )
            return wanted

        return await self._database.write("ask renewal", work)

    async def renewal(self, renewal_id: str) -> RenewalRecord:
        """Return a renewal; raise NotFound for one that was replaced or never was."""
        table = schema.certificate_renewals
        async with self._database.read("renewal") as connection:
            statement = select(table).where(table.c.id == renewal_id)
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise rows.no_renewal(renewal_id)
        return rows.renewal_of(row)

    async def pending(self, *, after: str, size: int) -> Sequence[RenewalRecord]:
        """Return requests that wait, in the order of their ids, at most `size`."""
        table = schema.certificate_renewals
        statement = (
            select(table)
            .where(table.c.certificate_der == b"", table.c.id > after)
            .order_by(table.c.id)
            .limit(size)
        )
        async with self._database.read("pending renewals") as connection:
            return [rows.renewal_of(row) for row in await connection.execute(statement)]

    async def issue(
        self, renewal_id: str, certificate_der: bytes, certificate: CertificateRecord
    ) -> tuple[RenewalRecord, MemberRecord | None]:
        """Store a renewal's certificate; return it and the member, if enrolled.

        Raises NotFound, MemberRevoked, or Conflict where another one is stored.
        """

        def work(connection: Connection) -> tuple[RenewalRecord, MemberRecord | None]:
            table = schema.certificate_renewals
            known = rows.read_renewal(connection, renewal_id)
            if known is None:
                raise rows.no_renewal(renewal_id)
            if known.certificate_der not in (b"", certificate_der):
                raise Conflict("The renewal has another certificate already.")
            member = rows.read_member(connection, known.member)
            if member is not None and member.revoke_s is not None:
                raise MemberRevoked(f"{known.member} was revoked.")
            connection.execute(
                update(table)
                .where(table.c.id == renewal_id)
                .values(certificate_der=certificate_der)
            )
            issued = replace(known, certificate_der=certificate_der)
            if member is None:
                return issued, None
            rows.add_certificate(connection, known.member, certificate)
            return issued, rows.require_member(connection, known.member)

        return await self._database.write("issue renewal", work)

    async def participation(
        self, members: Collection[MemberName]
    ) -> dict[MemberName, Participation]:
        """Return what the newest rounds tell of these members."""
        async with self._database.read("participation") as connection:
            statement = rows.participation_of(members)
            found = (await connection.execute(statement)).all()
        return rows.participations(found)
