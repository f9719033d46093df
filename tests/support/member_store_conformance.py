"""What a store of members promises, on whichever database it stands."""

from collections.abc import AsyncIterator

import pytest

from coordinator.app import MIGRATIONS
from coordinator.members.record import CertificateRecord, RenewalRecord
from coordinator.members.rows import Request
from coordinator.members.store import MemberStore
from federated_router.crypto.transcript import MemberName
from federated_router.kit.database import Database
from federated_router.kit.errors import (
    Conflict,
    MemberRevoked,
    NotFound,
    RequestIdReused,
)
from federated_router.kit.revocation import RevocationList

NODE = MemberName("node/n1")
FIRST = CertificateRecord(serial=2**158 + 7, fingerprint=b"f" * 32, expire_s=2e9)
SECOND = CertificateRecord(serial=2**158 + 9, fingerprint=b"s" * 32, expire_s=3e9)
ASKED = Request("request-1", b"d" * 32)
LIST = RevocationList(number=3, serials=frozenset({FIRST.serial}), der=b"list")


def renewal(name: str) -> RenewalRecord:
    """Return a request of the node."""
    return RenewalRecord(name, NODE, b"csr", request_s=10.0, expire_s=20.0)


class MemberStoreConformance:
    """Subclasses give `url`, an empty database."""

    __test__ = False

    @pytest.fixture
    async def store(self, url: str) -> AsyncIterator[MemberStore]:
        """Open the store."""
        database = await Database.open(url, migrations=MIGRATIONS, timeout_s=60.0)
        yield MemberStore(database)
        await database.close()

    async def test_enrolled_member_is_read_back_whole(self, store: MemberStore) -> None:
        """Serial numbers have up to 160 bits, more than any integer column."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)

        (found,) = await store.members()

        assert (found.name, found.enrol_s, found.enrolled) == (NODE, 5.0, True)
        assert found.certificates == (FIRST,)

    async def test_same_request_enrols_once(self, store: MemberStore) -> None:
        """An operator whose answer was lost asks again."""
        first = await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)

        assert await store.enrol(NODE, FIRST, request=ASKED, now_s=9.0) == first

    async def test_other_body_or_other_certificate_is_refused(
        self, store: MemberStore
    ) -> None:
        """And the enrolment that stands is unchanged."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)

        with pytest.raises(RequestIdReused):
            await store.enrol(
                NODE, FIRST, request=Request(ASKED.id, b"e" * 32), now_s=6.0
            )
        with pytest.raises(Conflict):
            await store.enrol(
                NODE, SECOND, request=Request("request-2", b"e" * 32), now_s=6.0
            )

        assert (await store.members())[0].certificates == (FIRST,)

    async def test_revocation_keeps_the_list_and_drops_the_renewal(
        self, store: MemberStore
    ) -> None:
        """In one transaction: who is revoked gets no certificate any more."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)
        await store.ask_renewal(renewal("r1"))

        revoked = await store.revoke(NODE, LIST, cause="lost", now_s=8.0)

        assert (revoked.enrolled, revoked.revoke_cause) == (False, "lost")
        assert await store.newest_list() == b"list"
        with pytest.raises(NotFound):
            await store.renewal("r1")

    async def test_newest_list_is_the_one_of_the_highest_number(
        self, store: MemberStore
    ) -> None:
        """Also where an older one is stored after it."""
        await store.keep_list(LIST)
        await store.keep_list(RevocationList(number=2, der=b"older"))

        assert await store.newest_list() == b"list"

    async def test_member_has_one_renewal_the_newest(self, store: MemberStore) -> None:
        """A member that lost its new key asks with another."""
        await store.ask_renewal(renewal("r1"))
        await store.ask_renewal(renewal("r2"))

        assert [one.id for one in await store.pending(after="", size=9)] == ["r2"]

    async def test_issued_renewal_may_be_presented_and_stays(
        self, store: MemberStore
    ) -> None:
        """The same certificate again changes nothing, another one is refused."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)
        await store.ask_renewal(renewal("r1"))

        _, member = await store.issue("r1", b"new", SECOND)
        await store.issue("r1", b"new", SECOND)

        assert member is not None
        assert member.serials == {FIRST.serial, SECOND.serial}
        assert (await store.renewal("r1")).certificate_der == b"new"
        assert await store.pending(after="", size=9) == []
        with pytest.raises(Conflict):
            await store.issue("r1", b"other", SECOND)

    async def test_revoked_member_gets_no_certificate(self, store: MemberStore) -> None:
        """Whoever asks after the revocation, too."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)
        await store.revoke(NODE, LIST, cause="lost", now_s=8.0)
        await store.ask_renewal(renewal("r1"))

        with pytest.raises(MemberRevoked):
            await store.issue("r1", b"new", SECOND)

    async def test_last_call_of_the_enrolled_is_kept(self, store: MemberStore) -> None:
        """Of the others nothing is stored: names would fill the table."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)

        await store.keep_seen({NODE: 7.0, MemberName("node/stranger"): 7.0})

        (found,) = await store.members()
        assert found.seen_s == 7.0

    async def test_member_without_rounds_took_part_in_none(
        self, store: MemberStore
    ) -> None:
        """A member that was only enrolled."""
        await store.enrol(NODE, FIRST, request=ASKED, now_s=5.0)

        assert await store.participation([NODE]) == {}
