"""How a round moves: `(round, event, now) -> round`, and nothing else.

Decides which kind of event may move a round in which state, and what the coordinator
itself has to do. What members say is judged in `sayings`, how states end in `endings`.
Refuses to know stores, clocks, watchers and the wire.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from coordinator.rounds import endings, events, refusals, sayings
from coordinator.rounds.endings import CAUSE_LENGTH_MAX
from coordinator.rounds.round import Round, RoundName, StateEntry
from coordinator.rounds.state import State
from coordinator.rounds.terms import Terms, refuse_unsound


class Work(StrEnum):
    """What the coordinator itself has to do for a round to go on."""

    JUDGE = "judge"
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
        NotOnRoster: a message of somebody who is not on the roster, or was expelled.
        ShareConflict: a second message that differs from the first.
        LimitReached: as many members joined as may.
    """
    if isinstance(event, events.FromMember):
        return sayings.said(round_, event, now_s)
    match event:
        case events.Expelled():
            return sayings.expelled(round_, event, now_s)
        case events.TimePassed():
            return _time_passed(round_, now_s)
        case events.Resumed():
            return _resumed(round_, now_s)
        case events.AbortRequested():
            return _abort_requested(round_, event, now_s)
        case _:
            return _worked(round_, event, now_s)


def work_due(round_: Round) -> Work | None:
    """Return what the coordinator has to do now, which follows from the round alone.

    Judgement is due once every contributor checked, or the time to check is over.
    Opening is due once enough holders answered, and again whenever more answers are
    there than the last failed attempt had.
    """
    match round_.state:
        case State.CHECKING:
            return Work.JUDGE if _all_checked(round_) else None
        case State.SUMMING:
            return Work.SUM
        case State.OPENING:
            return Work.OPEN if endings.opening_due(round_) else None
        case State.VALIDATING:
            return Work.VALIDATE
        case _:
            return None


def _all_checked(round_: Round) -> bool:
    """Return whether no further check is awaited, and those there are suffice."""
    if round_.checking_over:
        return True
    missing = (
        name
        for name in round_.contributors
        if name not in round_.checks and not round_.members[name].expelled
    )
    enough = len(round_.checks) >= round_.thresholds.reconstruct
    return enough and next(missing, None) is None


def _time_passed(round_: Round, now_s: float) -> Round:
    if round_.ended or now_s < round_.deadline_s:
        return round_
    ends: dict[State, Callable[[Round, float], Round]] = {
        State.JOINING: endings.end_joining,
        State.REVEALING: endings.end_revealing,
        State.COLLECTING: endings.end_collecting,
        State.CHECKING: endings.end_checking,
        State.OPENING: endings.end_opening,
    }
    if round_.state in ends:
        return ends[round_.state](round_, now_s)
    cause = f"The coordinator's {round_.state} took too long."
    return endings.abort(round_, cause, now_s)


def _resumed(round_: Round, now_s: float) -> Round:
    """Give a restarted coordinator's round its grace, and no more than a whole stay.

    What is stored is an instant of the wall clock, which may have been set meanwhile: a
    deadline that lies further ahead than the state lasts was stored under another time.
    """
    if round_.ended:
        return round_
    durations = round_.terms.durations
    least_s = now_s + durations.resume_grace_s
    most_s = max(least_s, now_s + durations.of(round_.state))
    deadline_s = min(max(round_.deadline_s, least_s), most_s)
    if deadline_s == round_.deadline_s:
        return round_
    return replace(round_, deadline_s=deadline_s)


def _abort_requested(
    round_: Round, event: events.AbortRequested, now_s: float
) -> Round:
    if round_.state is State.ABORTED:
        return round_
    if round_.ended:
        raise refusals.wrong_state(round_)
    return endings.abort(round_, event.cause, now_s)


def _worked(round_: Round, event: events.Event, now_s: float) -> Round:
    """Apply what the coordinator's own work found; its deadline is not its members'."""
    match round_.state, event:
        case State.CHECKING, events.Judged():
            return _judged(round_, event, now_s)
        case State.SUMMING, events.Summed():
            return endings.enter(round_, State.OPENING, now_s)
        case State.OPENING, events.Opened():
            liars = tuple(sorted({*round_.liars, *event.liars}))
            opened = replace(round_, liars=liars)
            return endings.enter(opened, State.VALIDATING, now_s)
        case State.OPENING, events.OpeningFailed():
            return _opening_failed(round_, event, now_s)
        case State.VALIDATING, events.Released():
            released = replace(round_, priors_revision=event.revision)
            return endings.enter(released, State.PUBLISHED, now_s)
        case State.VALIDATING, events.Refused():
            cause = event.cause[:CAUSE_LENGTH_MAX]
            refused = replace(round_, end_cause=cause)
            return endings.enter(refused, State.REJECTED, now_s)
    raise refusals.wrong_state(round_)


def _judged(round_: Round, event: events.Judged, now_s: float) -> Round:
    named = replace(
        round_,
        inconsistent=tuple(sorted(event.inconsistent)),
        liars=tuple(sorted(event.liars)),
        disputed=tuple(sorted(event.disputed)),
    )
    return endings.end_judgement(named, event.dropped, now_s)


def _opening_failed(round_: Round, event: events.OpeningFailed, now_s: float) -> Round:
    tried = replace(round_, attempted_answers=event.answers)
    if not event.decided:
        return tried
    return endings.abort(tried, refusals.not_opened(tried, event.cause), now_s)
