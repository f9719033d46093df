"""What becomes of a member's statistics when their round has ended.

Decides whether the requests in a batch were published, may be told again or are lost.
Refuses to know where the batch lies. A request may enter at most one sum that anybody
opened: a rejected sum is known to the coordinator although nobody else sees it, so its
requests are not told twice. The member can judge that only by what it did itself and
by the coordinator's account of the round; a coordinator that lies about having opened
gains one more noised sum over the same requests.
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
    whether its help to open the sum may have, and `answered_own` whether that sum had
    its own contribution in it. One that is in no sum, because its dealing was
    inconsistent or its cohort too small, is never opened. Raises RoundStateWrong for a
    round that goes on.
    """
    if not round_.ended:
        raise RoundStateWrong("The round has not ended.")
    if not contributed:
        return Fate.RESTORE
    summed = member in round_.survivors or not round_.survivors
    if round_.state is RoundState.PUBLISHED and member in round_.survivors:
        return Fate.CONFIRM
    opened = round_.state is not RoundState.ABORTED or (
        RoundState.OPENING in round_.history
    )
    if (answered and (answered_own or summed)) or (opened and summed):
        return Fate.DISCARD
    return Fate.RESTORE
