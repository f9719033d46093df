"""Which certificates a roster may not hold.

Decides that a member takes part with nobody who was revoked before it joined, whatever
the coordinator says; who is revoked while the round runs is among the corrupt members
that the round allows for, so that one revocation does not end it. Refuses to know
where lists come from. One round at a time is remembered; after a restart in the middle
of a round the newest list decides.
"""

from collections.abc import Iterable

from cryptography import x509

from federated_router.federation.round_view import Announcement
from federated_router.kit.revocation import RevocationList, Revocations


class RevokedMembers:
    """The list that a round's roster is held against."""

    def __init__(self, revocations: Revocations | None = None) -> None:
        self._revocations = revocations
        self._joined: tuple[str, RevocationList] | None = None

    def join(self, round_name: str) -> None:
        """Remember the newest list as the one under which this member joined."""
        if self._revocations is None:
            return
        if self._joined is None or self._joined[0] != round_name:
            self._joined = (round_name, self._revocations.current)

    def refuse(self, round_name: str, announcements: Iterable[Announcement]) -> None:
        """Raise MemberRevoked for a verified roster that holds a revoked certificate.

        Takes time for large rosters where the list holds anything.
        """
        if self._revocations is None:
            return
        found = self._revocations.current
        if self._joined is not None and self._joined[0] == round_name:
            found = self._joined[1]
        if not found.serials:
            return
        for one in announcements:
            found.refuse(x509.load_der_x509_certificate(one.certificate_der))
