"""What is wrong with a caller: come as somebody who may."""

from federated_router.kit.errors.root import FederationError


class NotIdentified(FederationError):
    """The peer presented no usable identity."""

    reason = "NOT_IDENTIFIED"


class NotAllowed(FederationError):
    """The peer is known and may not do this."""

    reason = "ROLE_NOT_ALLOWED"


class RoleNotAllowed(NotAllowed):
    """The peer's role may not call this method."""

    reason = "ROLE_NOT_ALLOWED"


class SignatureInvalid(NotAllowed):
    """A signature does not verify under the identity that sent it."""

    reason = "SIGNATURE_INVALID"


class NotOnRoster(NotAllowed):
    """The peer did not join this round in time."""

    reason = "NOT_ON_ROSTER"


class SecondPersonNeeded(NotAllowed):
    """The proposer may not approve; another operator must."""

    reason = "SECOND_PERSON_NEEDED"


class MemberNotEnrolled(NotAllowed):
    """No operator has enrolled this certificate for this member."""

    reason = "MEMBER_NOT_ENROLLED"


class MemberRevoked(NotAllowed):
    """The certificate, or the member that it names, was revoked."""

    reason = "MEMBER_REVOKED"
