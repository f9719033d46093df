"""How members behave: how often they call, and how much of it is malformed.

Decides who has called too often (a token bucket for each member and group of methods)
and who is refused for a while for what it sent. Nobody is refused for ever by this.
Refuses to know the wire and who is enrolled. Pure: the time is an argument; what it
keeps is bounded by `members_max` entries of a fixed size.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from coordinator.members.settings import MembersSettings
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import RateLimited
from federated_router.kit.peers import PeerCertificate

HOUR_S: Final = 3600.0
_WATCH: Final = "watch"


@dataclass(slots=True)
class Bucket:
    """Calls that may still come at once."""

    tokens: float
    at_s: float


@dataclass(slots=True)
class Conduct:
    """One member since the coordinator started; times are Unix times."""

    certificate: PeerCertificate
    seen_s: float
    buckets: dict[str, Bucket] = field(default_factory=dict)
    malformed_s: deque[float] = field(default_factory=deque)
    suspended_until_s: float = 0.0
    rate_limited: int = 0
    malformed: int = 0
    signature_failures: int = 0


class Conducts:
    """Every member that called, up to `members_max`."""

    def __init__(self, settings: MembersSettings) -> None:
        self._settings = settings
        self._known: OrderedDict[MemberName, Conduct] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, member: MemberName) -> Conduct | None:
        """Return a member's conduct; None for one that has not called."""
        return self._known.get(member)

    def members(self) -> list[MemberName]:
        """Return who has called."""
        return list(self._known)

    def admit(
        self,
        member: MemberName,
        certificate: PeerCertificate,
        *,
        method: str,
        now_s: float,
    ) -> None:
        """Count a call; raise RateLimited for one that may not run now."""
        conduct = self._seen(member, certificate, now_s)
        wait_s = conduct.suspended_until_s - now_s
        if wait_s > 0:
            raise RateLimited(
                "Too many malformed messages within an hour; wait.",
                metadata={"cause": "malformed"},
                retry_after_s=wait_s,
            )
        self._take(conduct, group_of(method), now_s)

    def malformed(self, member: MemberName, *, now_s: float) -> None:
        """Count a malformed message; suspend a member that sent too many."""
        conduct = self._known.get(member)
        if conduct is None:
            return
        conduct.malformed += 1
        recent = conduct.malformed_s
        recent.append(now_s)
        while recent[0] <= now_s - HOUR_S:
            recent.popleft()
        if len(recent) >= self._settings.malformed_per_hour_max:
            conduct.suspended_until_s = now_s + self._settings.suspension_s
            recent.clear()

    def signature_failed(self, member: MemberName, *, now_s: float) -> None:
        """Count a message whose signature failed, which is malformed as well."""
        conduct = self._known.get(member)
        if conduct is not None:
            conduct.signature_failures += 1
            self.malformed(member, now_s=now_s)

    def _seen(
        self, member: MemberName, certificate: PeerCertificate, now_s: float
    ) -> Conduct:
        conduct = self._known.get(member)
        if conduct is None:
            self._make_room(now_s)
            conduct = self._known[member] = Conduct(certificate, now_s)
        self._known.move_to_end(member)
        conduct.certificate, conduct.seen_s = certificate, now_s
        return conduct

    def _make_room(self, now_s: float) -> None:
        """Forget who has been silent for an hour; refuse one too many."""
        if len(self._known) < self._settings.members_max:
            return
        name, oldest = next(iter(self._known.items()))
        if oldest.seen_s > now_s - HOUR_S or oldest.suspended_until_s > now_s:
            raise RateLimited(
                f"{self._settings.members_max} members called within the hour.",
                metadata={"cause": "members_max"},
                retry_after_s=HOUR_S,
            )
        del self._known[name]

    def _take(self, conduct: Conduct, group: str, now_s: float) -> None:
        """Take one token from the group's bucket, filled for the time since."""
        per_s = self._settings.calls_per_minute_max / 60.0
        burst = float(self._settings.calls_burst)
        bucket = conduct.buckets.setdefault(group, Bucket(burst, now_s))
        elapsed_s = max(0.0, now_s - bucket.at_s)
        bucket.tokens = min(burst, bucket.tokens + elapsed_s * per_s)
        bucket.at_s = now_s
        if bucket.tokens < 1.0:
            conduct.rate_limited += 1
            raise RateLimited(
                "You call too often; slow down.",
                metadata={"cause": "rate", "group": group},
                retry_after_s=(1.0 - bucket.tokens) / per_s,
            )
        bucket.tokens -= 1.0


def group_of(method: str) -> str:
    """Return the group of a method's full path: its service, or `watch`.

    A member that opens streams too often must not use up what its rounds need.
    """
    service, _, name = method.rpartition("/")
    return _WATCH if name.startswith("Watch") else service.rpartition(".")[2]
