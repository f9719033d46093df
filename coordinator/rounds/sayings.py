"""What a member's message does to a round.

Decides what is taken in which state, and that a second message which differs from the
first is refused. Refuses to verify signatures (`admission`), and to decide how a state
ends (`endings`).
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from coordinator.rounds import endings, events, refusals
from coordinator.rounds.contents import check_digest
from coordinator.rounds.participants import JoinedMember, Progress
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import LimitReached

Value = TypeVar("Value")


def said(round_: Round, event: events.FromMember, now_s: float) -> Round:
    """Return the round after a message; `lifecycle.advance` says the errors."""
    _refuse_expelled(round_, event.member)
    match event:
        case events.Joined():
            return _joined(round_, event, now_s)
        case events.Revealed():
            return _revealed(round_, event, now_s)
        case events.Contributed():
            return _contributed(round_, event, now_s)
        case events.Checked():
            return _checked(round_, event, now_s)
        case events.Answered():
            return _answered(round_, event, now_s)


def expelled(round_: Round, event: events.Expelled, now_s: float) -> Round:
    """Take nothing more of a member; before CHECKING its contribution goes, too.

    Contributors that are fixed stay fixed: others may have seen the signed set. The
    contribution is then noised and clipped like every other one.
    """
    known = round_.members.get(event.member)
    if round_.ended or known is None or known.expelled:
        return round_
    members = {**round_.members, event.member: replace(known, expelled=True)}
    after = replace(round_, members=MappingProxyType(members))
    if round_.state is State.COLLECTING:
        kept = {
            name: contribution
            for name, contribution in round_.contributions.items()
            if name != event.member
        }
        after = replace(after, contributions=MappingProxyType(kept))
    return _complete(after, now_s)


def _joined(round_: Round, event: events.Joined, now_s: float) -> Round:
    known = round_.members.get(event.member)
    if known is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known.joins_like(event.entry))
        return round_
    refusals.require(round_, State.JOINING, now_s)
    if len(round_.members) >= round_.terms.members_max:
        raise LimitReached("As many members joined this round as it may have.")
    refusals.refuse_copies(round_, event)
    entry = replace(event.entry, progress=Progress(join_s=now_s))
    members = _with(round_.members, event.member, entry)
    return _complete(replace(round_, members=members), now_s)


def _revealed(round_: Round, event: events.Revealed, now_s: float) -> Round:
    known = round_.members.get(event.member)
    if known is not None and known.nonce is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known.nonce == event.nonce)
        return round_
    refusals.require(round_, State.REVEALING, now_s)
    if known is None:
        raise refusals.not_on_roster(event.member)
    entry = replace(known, nonce=event.nonce)
    members = _with(round_.members, event.member, entry)
    timed = _timed(replace(round_, members=members), event.member, reveal_s=now_s)
    return _complete(timed, now_s)


def _contributed(round_: Round, event: events.Contributed, now_s: float) -> Round:
    known = round_.contributions.get(event.member)
    if known is not None and not round_.ended:
        same = known.sha256 == event.contribution.sha256
        refusals.refuse_other(event.member, same=same)
        return round_
    refusals.require(round_, State.COLLECTING, now_s)
    _refuse_stranger(round_, event.member)
    grown = _with(round_.contributions, event.member, event.contribution)
    after = replace(round_, contributions=grown)
    return _complete(_timed(after, event.member, contribute_s=now_s), now_s)


def _checked(round_: Round, event: events.Checked, now_s: float) -> Round:
    known, digest = round_.checks.get(event.member), check_digest(event.combinations)
    if known is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known == digest)
        return round_
    refusals.require(round_, State.CHECKING, now_s)
    _refuse_stranger(round_, event.member)
    checks = _with(round_.checks, event.member, digest)
    after = replace(round_, checks=checks)
    return _timed(after, event.member, check_s=now_s)


def _answered(round_: Round, event: events.Answered, now_s: float) -> Round:
    known = round_.answers.get(event.member)
    if known is not None and not round_.ended:
        refusals.refuse_other(event.member, same=known == event.share_sum)
        return round_
    refusals.require(round_, State.OPENING, now_s)
    _refuse_stranger(round_, event.member)
    if event.member not in round_.checks:
        raise refusals.not_checked(round_, event.member)
    answers = _with(round_.answers, event.member, event.share_sum)
    after = replace(round_, answers=answers)
    return _timed(after, event.member, answer_s=now_s)


def _complete(round_: Round, now_s: float) -> Round:
    """Leave a state early once everybody who is awaited was heard."""
    awaited = {name for name, member in round_.members.items() if not member.expelled}
    match round_.state:
        case State.JOINING:
            expected = round_.terms.members_expected
            if 0 < expected <= len(round_.members):
                return endings.end_joining(round_, now_s)
        case State.REVEALING:
            if all(round_.members[name].nonce is not None for name in awaited):
                return endings.end_revealing(round_, now_s)
        case State.COLLECTING:
            if awaited.intersection(round_.roster) <= round_.contributions.keys():
                return endings.end_collecting(round_, now_s)
        case _:
            pass
    return round_


def _timed(round_: Round, name: MemberName, **times: float) -> Round:
    known = round_.members[name]
    progress = replace(known.progress, **times)
    entry: JoinedMember = replace(known, progress=progress)
    return replace(round_, members=_with(round_.members, name, entry))


def _with(
    known: Mapping[MemberName, Value], name: MemberName, value: Value
) -> Mapping[MemberName, Value]:
    return MappingProxyType({**known, name: value})


def _refuse_stranger(round_: Round, name: MemberName) -> None:
    if name not in round_.roster:
        raise refusals.not_on_roster(name)


def _refuse_expelled(round_: Round, name: MemberName) -> None:
    known = round_.members.get(name)
    if known is not None and known.expelled and not round_.ended:
        raise refusals.not_on_roster(name)
