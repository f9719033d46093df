"""What MembersService stands on, and what it asks of all of it together.

Decides whether a member is known, whether there is room for one more, and whether a
revocation list may be put in force. Refuses to know calls.
"""

from dataclasses import dataclass

from coordinator.members import identity_checks
from coordinator.members.conduct import Conducts
from coordinator.members.gate import Directory
from coordinator.members.offences import Offences
from coordinator.members.settings import MembersSettings
from coordinator.members.store import MemberStore
from coordinator.newest import Newest
from federated_router.crypto.transcript import MemberName
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.clock import Clock
from federated_router.kit.errors import LimitReached, MemberUnknown
from federated_router.kit.revocation import RevocationList, Revocations


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one coordinator."""

    store: MemberStore
    directory: Directory
    conducts: Conducts
    revocations: Revocations
    newest: Newest[RevocationList]
    trust: Trust
    settings: MembersSettings
    clock: Clock
    offences: Offences

    def verified(self, der: bytes) -> RevocationList:
        """Return a list that may be put in force: genuine, newer, and complete.

        The list that is in force passes, so that a call may be repeated. Raises
        FieldInvalid or SignatureInvalid.
        """
        current = self.revocations.current
        if der == current.der:
            return current
        found = RevocationList.verified(der, authorities_pem=self.trust.authorities_pem)
        identity_checks.refuse_older(found, current)
        identity_checks.refuse_forgetting(found, current)
        return found

    def refuse_crowd(self, member: MemberName) -> None:
        """Raise LimitReached where a new member would be one too many."""
        most = self.settings.members_max
        if self.directory.of(member) is None and len(self.directory) >= most:
            raise LimitReached(f"{most} members are known; raise members.members_max.")

    def require_known(self, member: MemberName) -> None:
        """Raise MemberUnknown for one that was not enrolled and has not called."""
        if self.directory.of(member) is None and self.conducts.of(member) is None:
            raise MemberUnknown(
                f"{member} was never enrolled and has not called; `member list` shows "
                "who has.",
                metadata={"member": member},
            )
