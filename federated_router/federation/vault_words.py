"""Which of a member's words stands, where it has said one already.

Decides, for each thing that a member says once in a round, whether a new word is the
first, is the one that stands, or must not leave this member. Pure: rows, transactions
and files are the vault's.
"""

from federated_router.federation.round_view import Contribution
from federated_router.federation.vault_rows import Answer, Check, RoundRecord
from federated_router.kit.errors import (
    RosterMismatch,
    RoundStateWrong,
    ShareConflict,
)


def first_contribution(known: RoundRecord, contribution: Contribution) -> bool:
    """Return whether this is the first one; another may stand, for the same roster.

    Raises RosterMismatch if one stands for another roster.
    """
    contributed = known.contributed
    if contributed is None:
        return True
    if contributed.roster_hash != contribution.roster_hash:
        raise RosterMismatch(
            "This member contributed to this round under another roster.",
            metadata={"check": "roster_hash"},
        )
    return False


def first_check(known: RoundRecord, check: Check) -> bool:
    """Return whether this is the first check, or the same as the one that stands.

    Raises:
        ShareConflict: a check of another contributor set, or another check of this
            one, stands.
        RoundStateWrong: this member did not contribute.
    """
    if known.check is not None:
        if (
            known.check.combinations != check.combinations
            or known.check.contributors_sha256 != check.contributors_sha256
        ):
            raise ShareConflict("This member has checked this round differently.")
        return False
    if known.contributed is None:
        raise RoundStateWrong("Who did not contribute does not check.")
    return True


def first_answer(known: RoundRecord, answer: Answer) -> bool:
    """Return whether this is the first answer, or the same as the one that stands.

    Raises:
        ShareConflict: another answer stands.
        RoundStateWrong: this member did not check what was dealt to it.
    """
    if known.answer is not None:
        if known.answer.share_sum != answer.share_sum:
            raise ShareConflict("This member has answered this round differently.")
        return False
    if known.check is None:
        raise RoundStateWrong("Who did not check its shares does not answer.")
    return True
