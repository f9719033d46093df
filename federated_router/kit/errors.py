"""Every refusal and failure this system knows, as a tree by what a caller can do.

    FederationError
    ├── InvalidInput          correct the request          (field named in metadata)
    │   ├── FieldRequired  FieldInvalid  PromptTooLong  RecordsTooMany
    │   ├── RecordNotText  NotPrivatelyServable  CiphertextMalformed
    │   └── ChargeMismatch
    ├── NotFound              name something that exists
    │   ├── ModelUnknown  DatasetUnknown  PolicyUnknown  NodeUnknown
    │   ├── AccountUnknown  RoundUnknown  PriorsUnknown
    │   └── BlockUnknown  ProposalUnknown  MemberUnknown
    ├── Conflict              choose another id, or fetch what is there
    │   └── AccountExists  RequestIdReused  RequestAlreadyServed  ShareConflict
    ├── NotIdentified         present a certificate of this federation
    ├── NotAllowed            ask for another role
    │   ├── RoleNotAllowed  SignatureInvalid  NotOnRoster  SecondPersonNeeded
    │   └── MemberNotEnrolled  MemberRevoked
    ├── NotNow                change the state first; retrying alone does not help
    │   ├── BudgetExhausted  RoundStateWrong  RosterTooSmall  RosterMismatch
    │   └── HeadroomExceeded  PrivateNotOffered  AccountClosed
    ├── LimitReached          slow down, then retry
    │   └── QueueFull  RateLimited
    ├── Unavailable           retry later, or elsewhere
    │   └── NoNodeAvailable  NodeLost  Draining  LeaseLost  StoreUnavailable
    ├── DeadlineExceeded      allow more time
    └── Internal              tell the operator; details are in the daemon's log

The class says the reason, `metadata` carries the facts, the message tells the fix.
gRPC codes live in `grpc_errors`; nothing here knows the wire.
"""

from collections.abc import Mapping
from typing import ClassVar


class FederationError(Exception):
    """Base of every error that may leave a daemon.

    `metadata` holds machine-readable facts (never prompts, records or secrets);
    `retry_after_s` is set where waiting that long can help.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


class InvalidInput(FederationError):
    """The request itself is wrong; the same request will never succeed."""

    reason = "FIELD_INVALID"

    def __init__(
        self, message: str, *, field: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, metadata={**(metadata or {}), "field": field})


class FieldRequired(InvalidInput):
    """A field marked REQUIRED is missing or empty."""

    reason = "FIELD_REQUIRED"


class FieldInvalid(InvalidInput):
    """A field has a value outside what it may hold."""

    reason = "FIELD_INVALID"


class PromptTooLong(InvalidInput):
    """The prompt does not fit the limit in bytes or the model's context."""

    reason = "PROMPT_TOO_LONG"


class RecordsTooMany(InvalidInput):
    """More private records than the policy has slots."""

    reason = "RECORDS_TOO_MANY"


class RecordNotText(InvalidInput):
    """A private record is not valid UTF-8."""

    reason = "RECORD_NOT_TEXT"


class NotPrivatelyServable(InvalidInput):
    """A private request asks for something that cannot be private."""

    reason = "NOT_PRIVATELY_SERVABLE"


class CiphertextMalformed(InvalidInput):
    """A contribution's bytes are not a ciphertext of this round."""

    reason = "CIPHERTEXT_MALFORMED"


class ChargeMismatch(InvalidInput):
    """The charge in the request is not what its parameters cost."""

    reason = "CHARGE_MISMATCH"


class NotFound(FederationError):
    """A named resource does not exist."""

    reason = "NOT_FOUND"


class ModelUnknown(NotFound):
    """No registered node has ever offered this model."""

    reason = "MODEL_UNKNOWN"


class DatasetUnknown(NotFound):
    """No account exists for this data set."""

    reason = "DATASET_UNKNOWN"


class PolicyUnknown(NotFound):
    """No privacy policy of this name is configured."""

    reason = "POLICY_UNKNOWN"


class NodeUnknown(NotFound):
    """No node of this name holds or held a lease."""

    reason = "NODE_UNKNOWN"


class AccountUnknown(NotFound):
    """No budget account has this name."""

    reason = "ACCOUNT_UNKNOWN"


class RoundUnknown(NotFound):
    """No round has this name."""

    reason = "ROUND_UNKNOWN"


class PriorsUnknown(NotFound):
    """No round has published priors yet."""

    reason = "PRIORS_UNKNOWN"


class BlockUnknown(NotFound):
    """No operator has opened this block of the data set."""

    reason = "BLOCK_UNKNOWN"


class ProposalUnknown(NotFound):
    """No such proposal waits for approval."""

    reason = "PROPOSAL_UNKNOWN"


class MemberUnknown(NotFound):
    """No member of this name was enrolled or seen."""

    reason = "MEMBER_UNKNOWN"


class Conflict(FederationError):
    """What was asked for exists already, in another form."""

    reason = "CONFLICT"


class AccountExists(Conflict):
    """An account of this name exists with other limits."""

    reason = "ACCOUNT_EXISTS"


class RequestIdReused(Conflict):
    """The request id was used before with another body."""

    reason = "REQUEST_ID_REUSED"


class RequestAlreadyServed(Conflict):
    """The private request of this id was charged; serving again would sample anew."""

    reason = "REQUEST_ALREADY_SERVED"


class ShareConflict(Conflict):
    """A member sent two different answers where only one may ever exist."""

    reason = "SHARE_CONFLICT"


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


class NotNow(FederationError):
    """The system's state forbids it; repeating the call alone does not help."""

    reason = "STATE_WRONG"


class BudgetExhausted(NotNow):
    """An account cannot cover what the request may cost at most."""

    reason = "BUDGET_EXHAUSTED"


class RoundStateWrong(NotNow):
    """The round is not in the state that this message belongs to."""

    reason = "ROUND_STATE_WRONG"


class RosterTooSmall(NotNow):
    """Too few members take part for the promised threshold."""

    reason = "ROSTER_TOO_SMALL"


class RosterMismatch(NotNow):
    """A message is bound to another roster than the round's."""

    reason = "ROSTER_MISMATCH"


class HeadroomExceeded(NotNow):
    """The sum of this roster's contributions could wrap around."""

    reason = "HEADROOM_EXCEEDED"


class PrivateNotOffered(NotNow):
    """No node offers private decoding for this request."""

    reason = "PRIVATE_NOT_OFFERED"


class AccountClosed(NotNow):
    """The account was closed and takes no new charge."""

    reason = "ACCOUNT_CLOSED"


class LimitReached(FederationError):
    """A configured limit is reached; retry after a while."""

    reason = "LIMIT_REACHED"


class QueueFull(LimitReached):
    """The admission queue holds as many requests as it may."""

    reason = "QUEUE_FULL"


class RateLimited(LimitReached):
    """The member calls too often, or sent too much that is malformed; wait."""

    reason = "RATE_LIMITED"


class Unavailable(FederationError):
    """A part is missing for now; retry later or elsewhere."""

    reason = "UNAVAILABLE"


class NoNodeAvailable(Unavailable):
    """No node that could serve the request is present."""

    reason = "NO_NODE_AVAILABLE"


class NodeLost(Unavailable):
    """The node died after the answer had begun."""

    reason = "NODE_LOST"


class Draining(Unavailable):
    """The daemon takes no new work."""

    reason = "DRAINING"


class LeaseLost(Unavailable):
    """The lease has lapsed; register again."""

    reason = "LEASE_LOST"


class StoreUnavailable(Unavailable):
    """The database does not answer; nothing private is served without it."""

    reason = "STORE_UNAVAILABLE"


class DeadlineExceeded(FederationError):
    """The time that the caller allowed is over."""

    reason = "DEADLINE_EXCEEDED"


class Internal(FederationError):
    """A defect or an outage inside; details are logged, never sent."""

    reason = "INTERNAL"


def all_error_classes() -> list[type[FederationError]]:
    """Return every class of the tree, for catalogues and their tests."""
    found: list[type[FederationError]] = []
    pending: list[type[FederationError]] = [FederationError]
    while pending:
        current = pending.pop()
        found.append(current)
        pending.extend(current.__subclasses__())
    return found
