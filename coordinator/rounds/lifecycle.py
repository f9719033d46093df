"""How a round moves: `(round, event, now) -> round`, and nothing else.

Decides every transition, what an illegal message gets, and when a round has too few
members to go on. Refuses to know stores, clocks, watchers and the wire. A survivor set
is fixed in one place, once, on the way into SUMMING, and no transition leads back.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from coordinator.rounds import events, refusals
from coordinator.rounds.round import Round, RoundName, StateEntry
from coordinator.rounds.state import ENDED, State
from coordinator.rounds.terms import Terms, refuse_unsound
from federated_router.crypto import beacon
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MIN
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import LimitReached

CAUSE_LENGTH_MAX: Final = 500


class Work(StrEnum):
    """What the coordinator itself has to do for a round to go on."""

    SUM = "sum"
    OPEN = "open"
    VALIDATE = "validate"


def open_round(name: RoundName, terms: Terms, now_s: float) -> Round:
    """Return a new round, JOINING; raise for terms that no round can keep."""
    refuse_unsound(terms)
    return Round(
        name=name,
        terms=terms,
        state=State.JOINING,
        deadline_s=now_s + terms.durations.joining_s,
        history=(StateEntry(State.JOINING, now_s),),
    )


def advance(round_: Round, event: events.Event, now_s: float) -> Round:
    """Return the round after `event`; the same object if it changes nothing.

    Raises:
        RoundStateWrong: the event does not belong to this state, or came after its
            deadline.
        NotOnRoster: a message of somebody who is not on the roster.
        ShareConflict: a second message that differs from the first.
        LimitReached: as many members joined as may.
    """
    if isinstance(event, events.FromMember):
        return _said(round_, event, now_s)
    match event:
        case events.TimePassed():
            return _time_passed(round_, now_s)
        case events.Resumed():
            return _resumed(round_, now_s)
        case events.AbortRequested():
            return _abort_requested(round_, event, now_s)
        case _:
            return _worked(round_, event, now_s)


def work_due(round_: Round) -> Work | None:
    """Return what the coordinator has to do now, which follows from the state alone.

    Opening is due once enough holders answered, and again whenever more answers are
    there than the last failed attempt had.
    """
    if round_.state is State.SUMMING:
        return Work.SUM
    if round_.state is State.VALIDATING:
        return Work.VALIDATE
    answers = len(round_.answers)
    enough = round_.state is State.OPENING and answers >= round_.thresholds.reconstruct
    return Work.OPEN if enough and answers > round_.attempted_answers else None


def _said(round_: Round, event: events.FromMember, now_s: float) -> Round:
    match event:
        case events.Joined():
            return _joined(round_, event, now_s)
        case events.Revealed():
            return _revealed(round_, event, now_s)
        case events.Contributed():
            return _contributed(round_, event, now_s)
        case events.Answered():
            return _answered(round_, event, now_s)


def _joined(round_: Round, event: events.Joined, now_s: float) -> Round:
    known = round_.members.get(event.member)
    if known is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known.joins_like(event.entry))
        return round_
    refusals.require(round_, State.JOINING, now_s)
    if len(round_.members) >= round_.terms.members_max:
        raise LimitReached("As many members joined this round as it may have.")
    members = {**round_.members, event.member: event.entry}
    refusals.refuse_copies(round_, event)
    joined = replace(round_, members=MappingProxyType(members))
    expected = round_.terms.members_expected
    return _end_joining(joined, now_s) if 0 < expected <= len(members) else joined


def _revealed(round_: Round, event: events.Revealed, now_s: float) -> Round:
    known = round_.members.get(event.member)
    if known is not None and known.nonce is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known.nonce == event.nonce)
        return round_
    refusals.require(round_, State.REVEALING, now_s)
    if known is None:
        raise refusals.not_on_roster(event.member)
    members = {**round_.members, event.member: replace(known, nonce=event.nonce)}
    revealed = replace(round_, members=MappingProxyType(members))
    everybody = all(member.nonce is not None for member in members.values())
    return _end_revealing(revealed, now_s) if everybody else revealed


def _contributed(round_: Round, event: events.Contributed, now_s: float) -> Round:
    known = round_.contributions.get(event.member)
    if known is not None and not round_.ended:
        same = known.sha256 == event.contribution.sha256
        refusals.refuse_other(event.member, same=same)
        return round_
    refusals.require(round_, State.COLLECTING, now_s)
    if event.member not in round_.roster:
        raise refusals.not_on_roster(event.member)
    contributions = {**round_.contributions, event.member: event.contribution}
    grown = replace(round_, contributions=MappingProxyType(contributions))
    everybody = len(contributions) == len(round_.roster)
    return _end_collecting(grown, now_s) if everybody else grown


def _answered(round_: Round, event: events.Answered, now_s: float) -> Round:
    known = round_.answers.get(event.member)
    if known is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known == event.share_sum)
        return round_
    refusals.require(round_, State.OPENING, now_s)
    if event.member not in round_.roster:
        raise refusals.not_on_roster(event.member)
    answers = {**round_.answers, event.member: event.share_sum}
    return replace(round_, answers=MappingProxyType(answers))


def _time_passed(round_: Round, now_s: float) -> Round:
    if round_.ended or now_s < round_.deadline_s:
        return round_
    ends: dict[State, Callable[[Round, float], Round]] = {
        State.JOINING: _end_joining,
        State.REVEALING: _end_revealing,
        State.COLLECTING: _end_collecting,
        State.OPENING: _end_opening,
    }
    if round_.state in ends:
        return ends[round_.state](round_, now_s)
    return _abort(round_, f"The coordinator's {round_.state} took too long.", now_s)


def _resumed(round_: Round, now_s: float) -> Round:
    grace_s = round_.terms.durations.resume_grace_s
    if round_.ended or round_.deadline_s >= now_s + grace_s:
        return round_
    return replace(round_, deadline_s=now_s + grace_s)


def _abort_requested(
    round_: Round, event: events.AbortRequested, now_s: float
) -> Round:
    if round_.state is State.ABORTED:
        return round_
    if round_.ended:
        raise refusals.wrong_state(round_)
    return _abort(round_, event.cause, now_s)


def _worked(round_: Round, event: events.Event, now_s: float) -> Round:
    """Apply what the coordinator's own work found; its deadline is not its members'."""
    match round_.state, event:
        case State.SUMMING, events.Summed():
            return _enter(round_, State.OPENING, now_s)
        case State.OPENING, events.Opened():
            opened = replace(round_, liars=tuple(sorted(event.liars)))
            return _enter(opened, State.VALIDATING, now_s)
        case State.OPENING, events.OpeningFailed():
            return _opening_failed(round_, event, now_s)
        case State.VALIDATING, events.Released():
            released = replace(round_, priors_revision=event.revision)
            return _enter(released, State.PUBLISHED, now_s)
        case State.VALIDATING, events.Refused():
            cause = event.cause[:CAUSE_LENGTH_MAX]
            return _enter(replace(round_, end_cause=cause), State.REJECTED, now_s)
    raise refusals.wrong_state(round_)


def _end_joining(round_: Round, now_s: float) -> Round:
    joined, needed = len(round_.members), _roster_min(round_.terms)
    if joined < needed:
        return _abort(
            round_, f"{joined} members joined; a round needs {needed}.", now_s
        )
    return _enter(round_, State.REVEALING, now_s)


def _end_revealing(round_: Round, now_s: float) -> Round:
    """Fix the roster: those who joined and revealed."""
    revealed = tuple(
        name for name, member in round_.members.items() if member.nonce is not None
    )
    if len(revealed) < _roster_min(round_.terms):
        return _abort(
            round_, refusals.too_few(round_, len(revealed), "revealed"), now_s
        )
    fixed = _with_roster(round_, revealed)
    if len(revealed) < fixed.noise.survivors_min:
        return _abort(round_, refusals.too_few(fixed, len(revealed), "revealed"), now_s)
    return _enter(fixed, State.COLLECTING, now_s)


def _end_collecting(round_: Round, now_s: float) -> Round:
    """Fix the survivor set, once and for ever."""
    survivors = tuple(sorted(round_.contributions))
    if len(survivors) < round_.noise.survivors_min:
        return _abort(
            round_, refusals.too_few(round_, len(survivors), "contributed"), now_s
        )
    return _enter(replace(round_, survivors=survivors), State.SUMMING, now_s)


def _end_opening(round_: Round, now_s: float) -> Round:
    """Abort at the deadline, unless an attempt with all the answers is under way."""
    if work_due(round_) is not None:
        return round_
    return _abort(round_, refusals.not_opened(round_, "The deadline came."), now_s)


def _opening_failed(round_: Round, event: events.OpeningFailed, now_s: float) -> Round:
    tried = replace(round_, attempted_answers=event.answers)
    if event.answers < len(round_.answers):
        return tried
    if len(round_.answers) == len(round_.roster):
        return _abort(tried, refusals.not_opened(tried, event.cause), now_s)
    return _end_opening(tried, now_s) if now_s >= round_.deadline_s else tried


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


def _enter(round_: Round, state: State, now_s: float) -> Round:
    """Enter a state; what could still be opened does not outlive the round."""
    ended = state in ENDED
    return replace(
        round_,
        state=state,
        deadline_s=now_s if ended else now_s + round_.terms.durations.of(state),
        history=(*round_.history, StateEntry(state, now_s)),
        answers=MappingProxyType({}) if ended else round_.answers,
    )


def _abort(round_: Round, cause: str, now_s: float) -> Round:
    ended = replace(round_, end_cause=cause[:CAUSE_LENGTH_MAX])
    return _enter(ended, State.ABORTED, now_s)


def _roster_min(terms: Terms) -> int:
    return max(terms.members_min, ROSTER_SIZE_MIN)
