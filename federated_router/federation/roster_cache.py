"""The keys of members that this one has seen, and which of them it has verified.

Decides that keys travel once and not in every round, and that a binding which was
verified is believed until it or a certificate under it expires. Refuses to believe
anything that differs in a byte from what was verified: all of it, the name included, is
in the digest under which it is kept; and to know who was revoked (`revoked_members`).
In memory, at most `entries_max` members; who was not met for longest goes first.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography import x509

from federated_router.crypto.binding import verify_binding
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
from federated_router.federation.round_view import Announcement
from federated_router.federation.survivor_signature import Trust


@dataclass(frozen=True, slots=True)
class _Verified:
    """Under which authorities a binding was verified, and for how long that holds."""

    trust: Trust
    since_s: float
    until_s: float


class RosterCache:
    """Announcements by digest; used by one member, in one thread at a time."""

    def __init__(self, *, entries_max: int = ROSTER_SIZE_MAX) -> None:
        self._entries_max = entries_max
        self._known: OrderedDict[bytes, Announcement] = OrderedDict()
        self._verified: dict[bytes, _Verified] = {}

    @property
    def known(self) -> Mapping[bytes, Announcement]:
        """The announcements that need not be sent again, by digest."""
        return MappingProxyType(self._known)

    def keep(self, announcements: Iterable[Announcement]) -> None:
        """Keep what a roster held, as the newest."""
        for announcement in announcements:
            digest = announcement.sha256
            self._known[digest] = announcement
            self._known.move_to_end(digest)
        while len(self._known) > self._entries_max:
            forgotten, _ = self._known.popitem(last=False)
            self._verified.pop(forgotten, None)

    def verify(self, announcement: Announcement, *, trust: Trust, now_s: float) -> None:
        """Accept keys that their member's certificate vouches for.

        Raises SignatureInvalid as `verify_binding`.
        """
        digest = announcement.sha256
        found = self._verified.get(digest)
        if (
            found is None
            or found.trust != trust
            or not found.since_s <= now_s < found.until_s
        ):
            found = _verified(announcement, trust=trust, now_s=now_s)
            if digest in self._known:
                self._verified[digest] = found


def _verified(announcement: Announcement, *, trust: Trust, now_s: float) -> _Verified:
    verify_binding(
        announcement.binding,
        certificate_der=announcement.certificate_der,
        authorities_pem=trust.authorities_pem,
        trust_domain=trust.trust_domain,
        now_s=now_s,
    )
    own = x509.load_der_x509_certificate(announcement.certificate_der)
    authorities = x509.load_pem_x509_certificates(trust.authorities_pem)
    ends = [one.not_valid_after_utc.timestamp() for one in (own, *authorities)]
    until_s = min(float(announcement.binding.not_after_s), *ends)
    return _Verified(trust, now_s, until_s)
