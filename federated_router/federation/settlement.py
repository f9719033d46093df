"""What becomes of a member's statistics when their round has ended.

Decides whether the requests in a batch were published, may be told again or are lost.
Refuses to know where the batch lies. A request may enter at most one sum that anybody
opened: a rejected sum is known to the coordinator although nobody else sees it, so its
requests are not told twice. Whether its contribution is in the sum a member that
answered knows from the signed survivor set that it verified; one that did not answer
has the coordinator's account of the round alone. A coordinator that lies about having
opened gains one more noised sum over the same requests, and pays for it: what was
contributed stays charged (`settling`).
"""

from enum import StrEnum

from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import Round, RoundState
from federated_router.kit.errors import RoundStateWrong


class Fate(StrEnum):
    """What to do with the batch."""

    CONFIRM = "confirm"
    RESTORE = "restore"
    DISCARD = "discard"


def fate_of(
    round_: Round,
    *,
    member: MemberName,
    contributed: bool,
    answered: bool,
    answered_own: bool = True,
) -> Fate:
    """Return the fate of `member`'s batch in a round that has ended.

    `contributed` tells whether a contribution may have left this member, `answered`
    whether its help to open the sum may have, and `answered_own` whether the signed set
    of that sum had its own contribution in it. One that is in no sum, because its
    dealing was inconsistent or its cohort too small, is never opened. Raises
    RoundStateWrong for a round that goes on.
    """
    if not round_.ended:
        raise RoundStateWrong("The round has not ended.")
    if not contributed:
        return Fate.RESTORE
    if answered:
        return _after_answer(round_, member, own_summed=answered_own)
    if member in round_.survivors and round_.state is RoundState.PUBLISHED:
        return Fate.CONFIRM
    summed = member in round_.survivors or not round_.survivors
    opened = round_.state is not RoundState.ABORTED or (
        RoundState.OPENING in round_.history
    )
    return Fate.DISCARD if opened and summed else Fate.RESTORE


def _after_answer(round_: Round, member: MemberName, *, own_summed: bool) -> Fate:
    """Judge by the signed set; what the coordinator says since can only add doubt."""
    if own_summed:
        published = round_.state is RoundState.PUBLISHED
        return Fate.CONFIRM if published else Fate.DISCARD
    return Fate.DISCARD if member in round_.survivors else Fate.RESTORE
