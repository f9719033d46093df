"""CHECKING and what follows from it: who survives, who is named, who is expelled."""

from dataclasses import replace

import pytest

from coordinator.rounds import events, lifecycle
from coordinator.rounds.lifecycle import Work, work_due
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import (
    FieldInvalid,
    NotOnRoster,
    RoundStateWrong,
    ShareConflict,
)
from tests.support import round_script as script
from tests.support.round_script import (
    START_S,
    answered,
    checked,
    contributed,
    joined,
    member,
    new_round,
    play,
    revealed,
    round_in,
    terms,
)

LATER_S = START_S + 10
K, S, O, A = State.CHECKING, State.SUMMING, State.OPENING, State.ABORTED  # noqa: E741 - as in the table.
COHORTS = terms(
    members_min=6,
    members_expected=6,
    participation_min=0.6,
    cohort_size=3,
    cohort_survivors_min=2,
    cohort_colluders_max=1,
)


def six(state: State) -> Round:
    """Return a round of six in two cohorts of three that has just entered `state`."""
    everybody = range(1, 7)
    round_ = play(
        new_round(COHORTS), *map(joined, everybody), *map(revealed, everybody)
    )
    if state is State.COLLECTING:
        return round_
    return play(round_, *map(contributed, everybody))


def cohort(round_: Round, number: int) -> tuple[MemberName, ...]:
    """Return the names of a cohort."""
    return tuple(round_.roster[holder - 1] for holder in round_.cohorts[number - 1])


def test_judgement_is_due_once_every_contributor_checked() -> None:
    """Before, somebody may still accuse a dealer."""
    three = play(round_in(K), checked(1), checked(2), checked(3))

    assert work_due(three) is None
    assert work_due(play(three, checked(4))) is Work.JUDGE


def test_checking_ends_at_its_deadline_with_as_many_checks_as_open() -> None:
    """Three of four holders open a sum; the fourth is not waited for any longer."""
    three = play(round_in(K), checked(1), checked(2), checked(3))

    over = play(three, events.TimePassed(), now_s=LATER_S)

    assert over.state is K
    assert work_due(over) is Work.JUDGE
    assert play(over, events.TimePassed(), now_s=LATER_S + 100) is over
    with pytest.raises(RoundStateWrong):
        play(over, checked(4), now_s=LATER_S)


def test_too_few_checks_abort_at_the_deadline() -> None:
    """What cannot be opened is not summed."""
    two = play(round_in(K), checked(1), checked(2))

    ended = play(two, events.TimePassed(), now_s=LATER_S)

    assert ended.state is A
    assert "2 of 4 contributors checked their shares; 3 are needed" in ended.end_cause


def test_second_check_with_other_content_is_a_conflict() -> None:
    """One check per holder may ever exist; the same one may come again."""
    once = play(round_in(K), checked(1))

    assert play(once, checked(1)) is once
    with pytest.raises(ShareConflict):
        play(once, checked(1, combinations=b"other"))


def test_strangers_do_not_check() -> None:
    """Only those on the roster were dealt anything."""
    with pytest.raises(NotOnRoster):
        play(round_in(K), checked(9))


def test_inconsistent_dealer_is_named_and_left_out_of_the_sum() -> None:
    """Three of four survive, which is as many as the terms demand."""
    judged = play(round_in(K), events.Judged(inconsistent=(member(2),)))

    assert judged.state is S
    assert judged.inconsistent == (member(2),)
    assert judged.contributors == tuple(map(member, (1, 2, 3, 4)))
    assert judged.survivors == tuple(map(member, (1, 3, 4)))


def test_dropped_dealer_is_left_out_and_not_named() -> None:
    """Two stories fit, so that nobody is blamed."""
    judged = play(round_in(K), events.Judged(dropped=(member(2),)))

    assert judged.inconsistent == ()
    assert member(2) not in judged.survivors


def test_too_few_survivors_abort_and_name_the_dealers() -> None:
    """The noise was drawn for three survivors; two would carry too little."""
    judged = play(
        round_in(K), events.Judged(inconsistent=(member(1),), dropped=(member(2),))
    )

    assert judged.state is A
    assert "2 of 4 contributions can be summed; 3 are needed" in judged.end_cause
    assert "node/node-1" in judged.end_cause


def test_only_holders_that_checked_answer() -> None:
    """An answer over shares that nobody compared may be wrong without a lie."""
    three = play(round_in(K), checked(1), checked(2), checked(3))
    over = play(three, events.TimePassed(), now_s=LATER_S)
    opening = play(over, events.Judged(), events.Summed(), now_s=LATER_S)

    with pytest.raises(RoundStateWrong, match="checked"):
        play(opening, answered(4), now_s=LATER_S)
    assert play(opening, answered(1), now_s=LATER_S).answers.keys() == {member(1)}


def test_answers_of_liars_and_of_disputed_holders_do_not_open() -> None:
    """They are taken, so that nobody is told what is thought of it, and set aside."""
    named = events.Judged(liars=(member(1),), disputed=(member(2),))
    opening = play(round_in(K), *script.STEPS[K][:-1], named, events.Summed())

    doubted = play(opening, answered(1), answered(2), answered(3))
    enough = play(doubted, answered(4))

    assert work_due(doubted) is None
    assert set(enough.believed_answers) == {member(3), member(4)}
    assert work_due(enough) is None


def test_liars_of_the_check_and_of_the_opening_are_named_together() -> None:
    """Each was found once."""
    named = events.Judged(liars=(member(1),))
    opening = play(round_in(K), *script.STEPS[K][:-1], named, events.Summed())

    opened = play(opening, events.Opened((member(3),)))

    assert opened.liars == (member(1), member(3))


def test_cohort_that_became_too_small_is_not_summed() -> None:
    """One of three is left: its sum would be its contribution."""
    agreed = replace(COHORTS, members_min=9, members_max=9, members_expected=9)
    everybody = range(1, 10)
    steps = (joined, revealed, contributed)
    round_ = play(
        new_round(agreed), *(step(index) for step in steps for index in everybody)
    )
    first, second, left = cohort(round_, 2)

    judged = play(round_, events.Judged(inconsistent=(first, second)))

    assert judged.state is S
    assert left in judged.contributors
    assert left not in judged.survivors
    assert [number for number, _ in judged.open_cohorts] == [1, 3]


def test_last_cohort_that_became_too_small_aborts() -> None:
    """Of six, three are left, and four open."""
    round_ = six(K)

    judged = play(round_, events.Judged(inconsistent=cohort(round_, 1)[:2]))

    assert judged.state is A
    assert "3 of 6 contributions can be summed; 4 are needed" in judged.end_cause


def test_cohorts_with_enough_survivors_are_summed_each_by_itself() -> None:
    """Two of three are enough in each; five of six open."""
    round_ = six(K)
    gone = cohort(round_, 1)[:1]

    judged = play(round_, events.Judged(inconsistent=gone))

    assert judged.state is S
    assert [(number, len(part)) for number, part in judged.open_cohorts] == [
        (1, 2),
        (2, 3),
    ]
    assert judged.answer_bytes == 2 * judged.thresholds.answer_bytes


def test_contributors_below_the_participation_abort_before_checking() -> None:
    """Participation is judged on contributions; what checks find is another matter."""
    three = play(six(State.COLLECTING), *(contributed(index) for index in (1, 2, 3)))

    ended = play(three, events.TimePassed(), now_s=LATER_S)

    assert ended.state is A
    assert "3 of 6 members contributed; 4 are needed" in ended.end_cause


def test_expelled_member_is_heard_no_more_and_no_longer_awaited() -> None:
    """The round goes on without it, and does not wait for it."""
    agreed = terms(participation_min=0.5)
    three = play(round_in(State.COLLECTING, agreed), *map(contributed, (1, 2, 3)))

    after = play(three, events.Expelled(member(4)))

    assert after.state is K
    assert after.contributors == tuple(map(member, (1, 2, 3)))
    with pytest.raises(NotOnRoster):
        play(after, checked(4))
    assert play(after, events.Expelled(member(4))) is after
    assert play(after, events.Expelled(member(9))) is after


def test_expelled_before_the_roster_is_fixed_is_not_on_it() -> None:
    """It joined and may even have revealed."""
    agreed = terms(participation_min=0.5)
    round_ = play(round_in(State.REVEALING, agreed), revealed(1), revealed(2))

    fixed = play(round_, events.Expelled(member(2)), revealed(3), revealed(4))

    assert fixed.state is State.COLLECTING
    assert fixed.roster == tuple(map(member, (1, 3, 4)))


def test_contribution_of_an_expelled_member_stays_once_the_set_was_signed() -> None:
    """Others may have seen the set; the contribution is noised like every other."""
    expelled = play(round_in(K), events.Expelled(member(1)))

    assert expelled.contributors == tuple(map(member, (1, 2, 3, 4)))
    assert work_due(play(expelled, checked(2), checked(3), checked(4))) is Work.JUDGE


@pytest.mark.parametrize(
    "changes",
    [
        {"cohort_size": 1},
        {"cohort_size": 7},
        {"cohort_survivors_min": 1},
        {"cohort_survivors_min": 4},
        {"cohort_colluders_max": 2},
        {"cohort_colluders_max": -1},
        {"cohort_size": 0},
    ],
)
def test_cohorts_that_no_roster_can_keep_are_refused(changes: dict[str, int]) -> None:
    """A limit found when members have encrypted already is found too late."""
    with pytest.raises(FieldInvalid):
        lifecycle.open_round(script.NAME, replace(COHORTS, **changes), START_S)  # type: ignore[arg-type]


def test_noise_of_cohorts_follows_from_the_cohort_and_not_from_the_roster() -> None:
    """One honest of two survivors carries the scale of 4; five in the sum, more."""
    round_ = six(K)

    assert round_.noise.honest_min == 1
    assert round_.noise.share_sigma == pytest.approx(4.0)
    assert round_.noise.survivors_min == round_.thresholds.reconstruct


def test_more_survivors_than_guaranteed_carry_more_noise() -> None:
    """The stated deviation is what is there, not what privacy counts on."""
    opened = round_in(State.VALIDATING)

    assert opened.noise_sigma == pytest.approx(4.0 * (4 / 2) ** 0.5)
    three = replace(opened, survivors=opened.survivors[:3])
    assert three.noise_sigma == pytest.approx(4.0 * (3 / 2) ** 0.5)
