"""An early renewal takes two people: one proposes, another approves.

Decides who may approve what, and until when; refuses to know where proposals wait.
"""

from dataclasses import dataclass

from federated_router.budget.accounts import AccountName
from federated_router.kit.errors import (
    FieldInvalid,
    ProposalUnknown,
    SecondPersonNeeded,
)

REASON_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed early renewal; an account has at most one."""

    proposal_id: str
    account: AccountName
    proposed_by: str
    reason: str
    expires_time_s: float


def check_reason(reason: str) -> None:
    """Raise FieldInvalid for a reason that tells nobody anything."""
    told = reason.strip()
    if not 0 < len(told) <= REASON_LENGTH_MAX or not told.isprintable():
        raise FieldInvalid(
            f"Give a reason of 1 to {REASON_LENGTH_MAX} characters, in one line, for "
            "the audit log.",
            field="reason",
        )


def check_approval(
    proposal: Proposal | None, *, proposal_id: str, operator: str, now_s: float
) -> Proposal:
    """Return the proposal that `operator` may approve now.

    Raises ProposalUnknown if it is not the waiting one or has expired,
    SecondPersonNeeded if the operator proposed it.
    """
    waits = proposal is not None and now_s < proposal.expires_time_s
    if proposal is None or not waits or proposal.proposal_id != proposal_id:
        raise ProposalUnknown(
            "No such proposal waits for approval; it was replaced, approved or has "
            "expired. Propose again.",
            metadata={"proposal": proposal_id},
        )
    if proposal.proposed_by == operator:
        raise SecondPersonNeeded(
            "Whoever proposed a renewal may not approve it; another operator must.",
            metadata={"proposed_by": proposal.proposed_by},
        )
    return proposal
