"""Which failures of a private request cost nothing.

The rules (docs/privacy_model.md): the worst case is reserved before the first forward
pass; what was sampled is committed before `finished` leaves; a hold is released only
where it is certain, from a cause that no record can bring about, that nothing was
sampled; in every other case everything is committed.
"""

from federated_router.budget.reservation import ReleaseCause
from federated_router.kit.errors import FederationError

REFUNDABLE = {
    "QUEUE_FULL": ReleaseCause.QUEUE_FULL,
    "DRAINING": ReleaseCause.NODE_NEVER_STARTED,
    "MODEL_UNKNOWN": ReleaseCause.NODE_NEVER_STARTED,
    "PRIVATE_NOT_OFFERED": ReleaseCause.NODE_NEVER_STARTED,
    "CHARGE_MISMATCH": ReleaseCause.NODE_NEVER_STARTED,
    "PROMPT_TOO_LONG": ReleaseCause.NODE_NEVER_STARTED,
    "ROLE_NOT_ALLOWED": ReleaseCause.CALLER_NOT_ALLOWED,
}
"""Reasons that a node gives before its first forward pass, from public facts alone."""


def refund_cause(error: FederationError) -> ReleaseCause | None:
    """Return the cause under which a node's refusal may be refunded, if any."""
    return REFUNDABLE.get(error.reason)
