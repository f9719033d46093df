"""What the system cannot do now: change its state, wait, or tell the operator."""

from federated_router.kit.errors.root import FederationError


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


class WishesUnmet(NotNow):
    """No model and node are expected to meet what the request asks for."""

    reason = "WISHES_UNMET"


class NoTrustedNode(NotNow):
    """No node is trusted with so personal a request, or stands where it may go."""

    reason = "NO_TRUSTED_NODE"


class ContinuationNotOffered(NotNow):
    """The node's engine goes on with no answer that another node began."""

    reason = "CONTINUATION_NOT_OFFERED"


class AccountClosed(NotNow):
    """The account was closed and takes no new charge."""

    reason = "ACCOUNT_CLOSED"


class LimitReached(FederationError):
    """A configured limit is reached; retry after a while."""

    reason = "LIMIT_REACHED"


class QueueFull(LimitReached):
    """The admission queue holds as many requests as it may."""

    reason = "QUEUE_FULL"


class Overloaded(LimitReached):
    """The nodes are nearly full, and this request was drawn to wait elsewhere."""

    reason = "OVERLOADED"


class RateLimited(LimitReached):
    """The caller calls too often, or sent too much that is malformed; wait."""

    reason = "RATE_LIMITED"


class Unavailable(FederationError):
    """A part is missing for now; retry later or elsewhere."""

    reason = "UNAVAILABLE"


class NoNodeAvailable(Unavailable):
    """No node that could serve the request is present."""

    reason = "NO_NODE_AVAILABLE"


class ShardsMissing(Unavailable):
    """The shards that can be reached do not make up all layers of the model."""

    reason = "SHARDS_MISSING"


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


class GrantNotExtended(Unavailable):
    """A private answer was not allowed further tokens in time."""

    reason = "GRANT_NOT_EXTENDED"


class DeadlineExceeded(FederationError):
    """The time that the caller allowed is over."""

    reason = "DEADLINE_EXCEEDED"


class Internal(FederationError):
    """A defect or an outage inside; details are logged, never sent."""

    reason = "INTERNAL"
