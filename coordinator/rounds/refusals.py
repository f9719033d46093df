"""Why a round does not take a message, or does not go on.

Decides the words and the facts of refusals and of causes for people. Refuses to
decide when they apply (`lifecycle`).
"""

from coordinator.rounds import events
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import (
    FieldInvalid,
    NotOnRoster,
    RoundStateWrong,
    ShareConflict,
)


def require(round_: Round, state: State, now_s: float) -> None:
    """Refuse a message that belongs to another state, or comes after the deadline."""
    if round_.state is not state or now_s >= round_.deadline_s:
        raise wrong_state(round_, needed=state)


def require_reached(round_: Round, state: State) -> None:
    """Refuse a message of a state that the round has not reached, or that ended it."""
    if round_.ended or all(entry.state is not state for entry in round_.history):
        raise wrong_state(round_, needed=state)


def wrong_state(round_: Round, *, needed: State | None = None) -> RoundStateWrong:
    """Return the refusal of what does not belong to the round's state."""
    facts = {"round": round_.name, "state": round_.state.value}
    if needed is not None:
        facts["needed"] = needed.value
    return RoundStateWrong(
        f"{round_.name} is {round_.state.upper()}; this does not belong there, or "
        "came after the deadline.",
        metadata=facts,
    )


def refuse_other(member: MemberName, *, same: bool) -> None:
    """Refuse a repeated message unless it is the same one again."""
    if not same:
        raise ShareConflict(
            "This member has sent something else in this round; one answer may exist.",
            metadata={"member": member},
        )


def refuse_copies(round_: Round, event: events.Joined) -> None:
    """Refuse keys or a commitment of another member, which no roster may hold twice."""
    new = event.entry
    for known in round_.members.values():
        if (
            known.commitment == new.commitment
            or known.binding.keys.signing == new.binding.keys.signing
            or known.binding.keys.sealing == new.binding.keys.sealing
        ):
            raise FieldInvalid(
                "Another member joined with one of these keys or this commitment; "
                "draw your own.",
                field="keys",
            )


def not_on_roster(member: MemberName) -> NotOnRoster:
    """Return the refusal of somebody who takes no part."""
    return NotOnRoster(
        "Join a round while it is JOINING, and reveal in time, to take part.",
        metadata={"member": member},
    )


def not_checked(round_: Round, member: MemberName) -> RoundStateWrong:
    """Return the refusal of an answer by a holder that did not check its shares."""
    return RoundStateWrong(
        "Only holders that checked their shares in time answer.",
        metadata={"round": round_.name, "member": member},
    )


def too_few(round_: Round, present: int, verb: str) -> str:
    """Return why a round with so few members ends."""
    needed = round_.contributors_min
    return (
        f"{present} of {len(round_.members)} members {verb}; {needed} are needed "
        f"(participation of at least {round_.terms.participation_min:g}, and enough "
        "to open the sum and to carry the noise)."
    )


def too_few_consistent(round_: Round, survivors: int) -> str:
    """Return why a round whose dealers were found inconsistent ends."""
    named = ", ".join(round_.inconsistent) or "nobody"
    return (
        f"{survivors} of {len(round_.contributors)} contributions can be summed; "
        f"{round_.noise.survivors_min} are needed. Inconsistent dealers: {named}."
    )


def no_cohort_left(round_: Round) -> str:
    """Return why a round ends in which every cohort became too small."""
    return (
        f"No cohort is left with {round_.noise.cohort_survivors_min} survivors; the "
        f"largest may have {max(map(len, round_.cohorts))} members."
    )


def too_few_checked(round_: Round) -> str:
    """Return why a round with so few checks ends."""
    return (
        f"{len(round_.checks)} of {len(round_.contributors)} contributors checked "
        f"their shares; {round_.thresholds.reconstruct} are needed to open a sum."
    )


def not_opened(round_: Round, cause: str) -> str:
    """Return why a sum stays closed."""
    needed = round_.thresholds.reconstruct
    return (
        f"The sum was not opened: {len(round_.answers)} of {len(round_.roster)} "
        f"holders answered, {needed} consistent answers are needed. {cause}"
    )
