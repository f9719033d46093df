"""Where a round can stand; `lifecycle` decides how it gets there."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a round stands.

    JOINING -> REVEALING -> COLLECTING -> CHECKING -> SUMMING -> OPENING -> VALIDATING,
    then PUBLISHED or REJECTED; ABORTED from any of these seven. The last three are for
    ever.
    """

    JOINING = "joining"
    REVEALING = "revealing"
    COLLECTING = "collecting"
    CHECKING = "checking"
    SUMMING = "summing"
    OPENING = "opening"
    VALIDATING = "validating"
    PUBLISHED = "published"
    REJECTED = "rejected"
    ABORTED = "aborted"


ENDED: Final = frozenset({State.PUBLISHED, State.REJECTED, State.ABORTED})
