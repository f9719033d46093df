"""What is wrong with a request: correct it, or name something else."""

from collections.abc import Mapping

from federated_router.kit.errors.root import FederationError


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


class GrantUnknown(NotFound):
    """No private answer runs here on this reservation."""

    reason = "GRANT_UNKNOWN"


class RequestUnknown(NotFound):
    """This caller made no such request here, or too long ago."""

    reason = "REQUEST_UNKNOWN"


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
