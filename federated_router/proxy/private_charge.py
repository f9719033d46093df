"""What a private request is charged at its end, and which failures cost nothing.

The rules (docs/privacy_model.md): the worst case is reserved before the first forward
pass, and the node may sample what was granted of it; what was sampled is committed
before `finished` leaves; a hold is released only where it is certain, from a cause that
no record can bring about, that nothing was sampled; in every other case everything that
was granted is committed.
"""

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.answers import Answer
from federated_router.budget.cashier import Hold
from federated_router.budget.pricing import Price
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


async def settle_finished(
    hold: Hold, price: Price, finished: pb.Finished, answer: Answer | None
) -> None:
    """Commit what the node sampled, and keep the answer with it.

    The ledger refuses a count that cannot be, and then nothing is settled here.
    """
    tokens = finished.completion_tokens
    await hold.commit(tokens, answer)
    finished.charge.tokens = tokens
    finished.charge.units = tokens * price.dataset_step_units
    finished.charge.accounts.extend(price.accounts)
