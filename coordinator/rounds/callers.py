"""Who calls, and about which round.

Decides that a member's name is the identity of its connection, and that strangers learn
nothing of a round that has a roster. Refuses to know what is called.
"""

from typing import Final

from coordinator.rounds import refusals
from coordinator.rounds.round import Round, RoundName
from federated_router.crypto.transcript import MemberName
from federated_router.kit.identity import current_identity
from federated_router.kit.names import resource_id

NEWEST_NAME: Final = "rounds/-"


def caller() -> MemberName:
    """Return who calls."""
    return MemberName(current_identity().member)


def on_roster(round_: Round) -> MemberName:
    """Return the caller; raise NotOnRoster for others, once there is a roster."""
    member = caller()
    if round_.roster and member not in round_.roster:
        raise refusals.not_on_roster(member)
    return member


def round_name(name: str, field: str) -> RoundName:
    """Return a name that a round can have; raise FieldInvalid for others."""
    resource_id(name, "rounds", field=field)
    return RoundName(name)


def watched_name(text: str) -> RoundName | None:
    """Return the name of the round to watch, None for the newest; raise as above."""
    return None if text == NEWEST_NAME else round_name(text, "name")
