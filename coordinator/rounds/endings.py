"""How a state of a round ends: with enough members in the next one, or ABORTED.

Decides what is fixed on the way (roster, contributors, survivors), each once and in one
place, and when too few are left. Refuses to know events, stores and clocks. No
transition leads back.
"""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from coordinator.rounds import refusals
from coordinator.rounds.round import Round, StateEntry
from coordinator.rounds.state import ENDED, State
from coordinator.rounds.terms import Terms
from federated_router.crypto import beacon
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MIN
from federated_router.crypto.transcript import MemberName

CAUSE_LENGTH_MAX: Final = 500


def enter(round_: Round, state: State, now_s: float) -> Round:
    """Enter a state; what could still be opened does not outlive the round."""
    ended = state in ENDED
    return replace(
        round_,
        state=state,
        deadline_s=now_s if ended else now_s + round_.terms.durations.of(state),
        history=(*round_.history, StateEntry(state, now_s)),
        checks=MappingProxyType({}) if ended else round_.checks,
        answers=MappingProxyType({}) if ended else round_.answers,
    )


def abort(round_: Round, cause: str, now_s: float) -> Round:
    """End a round without a sum."""
    ended = replace(round_, end_cause=cause[:CAUSE_LENGTH_MAX])
    return enter(ended, State.ABORTED, now_s)


def end_joining(round_: Round, now_s: float) -> Round:
    """Go on with those who joined."""
    joined = sum(not member.expelled for member in round_.members.values())
    needed = _roster_min(round_.terms)
    if joined < needed:
        return abort(round_, f"{joined} members joined; a round needs {needed}.", now_s)
    return enter(round_, State.REVEALING, now_s)


def end_revealing(round_: Round, now_s: float) -> Round:
    """Fix the roster: those who joined and revealed."""
    revealed = tuple(
        name
        for name, member in round_.members.items()
        if member.nonce is not None and not member.expelled
    )
    if len(revealed) < _roster_min(round_.terms):
        return abort(round_, refusals.too_few(round_, len(revealed), "revealed"), now_s)
    fixed = _with_roster(round_, revealed)
    if len(revealed) < fixed.contributors_min:
        return abort(round_, refusals.too_few(fixed, len(revealed), "revealed"), now_s)
    return enter(fixed, State.COLLECTING, now_s)


def end_collecting(round_: Round, now_s: float) -> Round:
    """Fix the contributors, once and for ever."""
    contributors = tuple(sorted(round_.contributions))
    if len(contributors) < round_.contributors_min:
        cause = refusals.too_few(round_, len(contributors), "contributed")
        return abort(round_, cause, now_s)
    fixed = replace(round_, contributors=contributors)
    return enter(fixed, State.CHECKING, now_s)


def end_checking(round_: Round, now_s: float) -> Round:
    """Send what was checked to judgement, unless it is too little to open a sum."""
    if round_.checking_over:
        return round_
    if len(round_.checks) < round_.thresholds.reconstruct:
        return abort(round_, refusals.too_few_checked(round_), now_s)
    return replace(round_, checking_over=True)


def end_judgement(
    round_: Round, dropped: Collection[MemberName], now_s: float
) -> Round:
    """Fix the survivors, once and for ever: consistent, and in a cohort of enough."""
    left_out = {*round_.inconsistent, *dropped}
    consistent = frozenset(round_.contributors) - left_out
    survivors = _in_cohorts_of_enough(round_, consistent)
    if consistent and not survivors:
        return abort(round_, refusals.no_cohort_left(round_), now_s)
    if len(survivors) < round_.noise.survivors_min:
        cause = refusals.too_few_consistent(round_, len(survivors))
        return abort(round_, cause, now_s)
    fixed = replace(round_, survivors=tuple(sorted(survivors)))
    return enter(fixed, State.SUMMING, now_s)


def end_opening(round_: Round, now_s: float) -> Round:
    """Let the answers that are there decide at the deadline; too few abort."""
    if round_.opening_over:
        return round_
    if not _answered_enough(round_):
        return abort(round_, refusals.not_opened(round_, "The deadline came."), now_s)
    return replace(round_, opening_over=True)


def opening_due(round_: Round) -> bool:
    """Return whether enough answers are there, some of which no attempt has had yet.

    At the deadline one attempt more is due with the same ones, and decides.
    """
    if round_.state is not State.OPENING or not _answered_enough(round_):
        return False
    return round_.opening_over or len(round_.answers) > round_.attempted_answers


def opening_decides(round_: Round) -> bool:
    """Return whether no further answer can come that would tell more."""
    if round_.state is not State.OPENING or round_.opening_over:
        return True
    return may_answer(round_) <= round_.answers.keys()


def may_answer(round_: Round) -> frozenset[MemberName]:
    """Return the holders of whom an answer may still be taken: those who checked."""
    return frozenset(
        name for name in round_.checks if not round_.members[name].expelled
    )


def _answered_enough(round_: Round) -> bool:
    return len(round_.believed_answers) >= round_.thresholds.reconstruct


def _in_cohorts_of_enough(
    round_: Round, members: AbstractSet[MemberName]
) -> frozenset[MemberName]:
    least = round_.noise.cohort_survivors_min
    return frozenset(
        name
        for _, part in round_.cohorts_of(members)
        if len(part) >= least
        for name in part
    )


def _with_roster(round_: Round, names: tuple[MemberName, ...]) -> Round:
    roster = tuple(sorted(names))
    entries = [round_.members[name].entry for name in roster]
    nonces = {name: round_.members[name].nonce or b"" for name in roster}
    layout = round_.terms.catalogue.sha256
    return replace(
        round_,
        roster=roster,
        roster_hash=beacon.roster_hash(round_.attempt, entries, layout=layout),
        beacon=beacon.beacon(round_.attempt, entries, nonces, layout=layout),
    )


def _roster_min(terms: Terms) -> int:
    return max(terms.members_min, ROSTER_SIZE_MIN)
