"""Random lives of rounds: whatever members and clocks do, the promises hold."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.rounds import endings, events, lifecycle
from coordinator.rounds.round import Round
from coordinator.rounds.state import ENDED, State
from coordinator.rounds.terms import Terms
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import FederationError
from tests.support import round_script as script

NEXT = {
    State.JOINING: {State.REVEALING},
    State.REVEALING: {State.COLLECTING},
    State.COLLECTING: {State.CHECKING},
    State.CHECKING: {State.SUMMING},
    State.SUMMING: {State.OPENING},
    State.OPENING: {State.VALIDATING},
    State.VALIDATING: {State.PUBLISHED, State.REJECTED},
}
Advance = Callable[[Round, events.Event, float], Round]
WITHOUT_COHORTS = script.terms(members_expected=0)
WITH_COHORTS = replace(
    WITHOUT_COHORTS, cohort_size=2, cohort_survivors_min=2, cohort_colluders_max=1
)


@dataclass
class Life:
    """One random life, and what must hold after each of its steps."""

    advance: Advance
    round: Round
    now_s: float = script.START_S
    contributor_sets: set[tuple[MemberName, ...]] = field(default_factory=set)
    survivor_sets: set[tuple[MemberName, ...]] = field(default_factory=set)
    answers_max: int = 0

    def meet(self, event: events.Event) -> None:
        """Apply an event; a refusal changes nothing."""
        before = self.round
        try:
            self.round = self.advance(before, event, self.now_s)
        except FederationError:
            return
        self.check(before)

    def check(self, before: Round) -> None:
        """Check the promises."""
        after = self.round
        if after.state is not before.state:
            allowed = NEXT[before.state] | {State.ABORTED}
            assert after.state in allowed
        if after.survivors:
            self.survivor_sets.add(after.survivors)
        if after.contributors:
            self.contributor_sets.add(after.contributors)
        assert len(self.survivor_sets) <= 1
        assert len(self.contributor_sets) <= 1
        assert set(after.survivors) <= set(after.contributors) <= set(after.roster)
        assert set(after.roster) <= set(after.members)
        assert not set(after.survivors) & set(after.inconsistent)
        assert set(after.answers) <= set(after.checks) or after.ended
        if after.state is State.OPENING:
            self.answers_max = len(after.answers)
        if after.state in (State.OPENING, State.VALIDATING, State.PUBLISHED):
            self.check_thresholds(after)

    def check_thresholds(self, after: Round) -> None:
        """Check that nothing is opened below any threshold."""
        thresholds = Thresholds.for_roster(len(after.roster))
        survivors = len(after.survivors)
        assert survivors >= thresholds.reconstruct
        assert survivors >= after.noise.survivors_min
        assert len(after.contributors) >= math.ceil(0.75 * len(after.members))
        if not after.noise.cohort_size:
            assert survivors > after.noise.colluders_max
        for _, part in after.open_cohorts:
            assert len(part) >= after.noise.cohort_survivors_min
            assert len(part) > after.noise.cohort_colluders_max
        if after.state is not State.OPENING:
            assert self.answers_max >= thresholds.reconstruct


members = st.integers(1, 6)
single = st.one_of(
    st.builds(script.joined, members),
    st.builds(script.revealed, members),
    st.builds(script.contributed, members),
    st.builds(script.checked, members),
    st.builds(script.answered, members),
    st.builds(lambda index: events.Expelled(script.member(index)), members),
    st.just(events.TimePassed()),
    st.just(events.Resumed()),
    st.just(events.Summed()),
    st.builds(events.Released, st.integers(1, 3)),
    st.just(events.Refused("wrong")),
)
opening = st.one_of(
    st.builds(lambda index: ("opened", index), members),
    st.builds(lambda count: ("failed", count), st.integers(0, 6)),
)
judging = st.builds(
    lambda dealers, liars: ("judged", tuple(sorted(dealers)), tuple(sorted(liars))),
    st.sets(members, max_size=3),
    st.sets(members, max_size=2),
)
together = st.builds(
    lambda kind, group: (kind, tuple(sorted(group))),
    st.sampled_from(["joined", "revealed", "contributed", "checked", "answered"]),
    st.sets(members, min_size=3),
)
pause = st.sampled_from([0.5, 4.0, 11.0]).map(lambda pause_s: ("pause", pause_s))
steps = st.lists(
    st.one_of(together, together, pause, single, judging, opening),
    min_size=5,
    max_size=40,
)


def live(
    taken: list[object], advance: Advance, agreed: Terms = WITHOUT_COHORTS
) -> Life:
    """Live through the steps, with the coordinator's own honest attempts between."""
    life = Life(advance, script.new_round(agreed))
    for step in taken:
        take(life, step)
    return life


def take(life: Life, step: object) -> None:
    """Take one step, be it an event, a group's messages or a pause."""
    match step:
        case ("pause", float(pause_s)):
            life.now_s += pause_s
            life.meet(events.TimePassed())
        case ("opened", _):
            # The coordinator opens only what is due; anything else is no opening.
            if lifecycle.work_due(life.round) is lifecycle.Work.OPEN:
                life.meet(events.Opened(()))
        case ("judged", tuple(dealers), tuple(liars)):
            # The coordinator judges only what is due; anything else is no judgement.
            if lifecycle.work_due(life.round) is lifecycle.Work.JUDGE:
                life.meet(
                    events.Judged(
                        inconsistent=tuple(map(script.member, dealers)),
                        liars=tuple(map(script.member, liars)),
                    )
                )
        case ("failed", int(count)):
            decided = endings.opening_decides(life.round)
            life.meet(events.OpeningFailed(count, "liars", decided=decided))
        case (str(kind), tuple(group)):
            for index in group:
                life.meet(getattr(script, kind)(index))
        case _:
            life.meet(step)  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(steps, st.sampled_from([WITHOUT_COHORTS, WITH_COHORTS]))
def test_random_life_breaks_no_promise(taken: list[object], agreed: Terms) -> None:
    """Never below a threshold, never two sets of a kind, never out of order."""
    life = live(taken, lifecycle.advance, agreed)

    ends = [entry.state for entry in life.round.history if entry.state in ENDED]
    assert len(ends) <= 1


def forgetful(round_: Round, event: events.Event, now_s: float) -> Round:
    """Advance, but let members in after the set was fixed: a broken variant."""
    if isinstance(event, events.Contributed) and round_.state is State.OPENING:
        survivors = tuple(sorted({*round_.survivors, event.member}))
        return replace(round_, survivors=survivors)
    return lifecycle.advance(round_, event, now_s)


def lenient(round_: Round, event: events.Event, now_s: float) -> Round:
    """Advance, but sum whoever contributed: a broken variant."""
    due = isinstance(event, events.TimePassed) and now_s >= round_.deadline_s
    if due and round_.state is State.COLLECTING:
        contributors = tuple(sorted(round_.contributions))
        return lifecycle.advance(
            replace(
                round_,
                state=State.SUMMING,
                contributors=contributors,
                survivors=contributors,
                deadline_s=now_s + 10,
            ),
            events.Summed(),
            now_s,
        )
    return lifecycle.advance(round_, event, now_s)


def blind(round_: Round, event: events.Event, now_s: float) -> Round:
    """Advance, but sum dealers who were found inconsistent: a broken variant."""
    after = lifecycle.advance(round_, event, now_s)
    if isinstance(event, events.Judged) and after.state is State.SUMMING:
        return replace(after, survivors=after.contributors)
    return after


@pytest.mark.parametrize("broken", [forgetful, lenient, blind])
def test_broken_lifecycle_is_found_out(broken: Advance) -> None:
    """The checks above can fail: three broken variants do not pass them."""
    begin: list[object] = [
        ("joined", (1, 2, 3, 4)),
        ("pause", 11.0),
        ("revealed", (1, 2, 3, 4)),
    ]
    ends: dict[Advance, list[object]] = {
        forgetful: [
            ("contributed", (1, 2, 3)),
            ("pause", 11.0),
            ("checked", (1, 2, 3)),
            ("judged", (), ()),
            events.Summed(),
            script.contributed(4),
        ],
        blind: [
            ("contributed", (1, 2, 3, 4)),
            ("checked", (1, 2, 3, 4)),
            ("judged", (2,), ()),
        ],
        lenient: [("contributed", (1,)), ("pause", 11.0)],
    }

    with pytest.raises(AssertionError):
        live(begin + ends[broken], broken)
