"""Every state meets every event, and each rule that ends a round."""

from dataclasses import replace

import pytest

from coordinator.rounds import endings, events, lifecycle
from coordinator.rounds.lifecycle import Work, work_due
from coordinator.rounds.state import ENDED, State
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    HeadroomExceeded,
    LimitReached,
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

J, R, C, K = State.JOINING, State.REVEALING, State.COLLECTING, State.CHECKING
S, O, V = State.SUMMING, State.OPENING, State.VALIDATING  # noqa: E741 - a table.
P, X, A = State.PUBLISHED, State.REJECTED, State.ABORTED
W = RoundStateWrong
STATES = (J, R, C, K, S, O, V, P, X, A)
LATER_S = START_S + 10
FAILED = events.OpeningFailed(3, "?")

# What becomes of a round in each of STATES that meets the event: a state, or a refusal.
TABLE: dict[str, tuple[events.Event, float, tuple[State | type[FederationError], ...]]]
TABLE = {
    "joins": (joined(9), START_S, (J, W, W, W, W, W, W, W, W, W)),
    "joins again": (joined(1), START_S, (J, R, C, K, S, O, V, W, W, W)),
    "joins late": (joined(9), LATER_S, (W, W, W, W, W, W, W, W, W, W)),
    "reveals": (revealed(1), START_S, (W, R, C, K, S, O, V, W, W, W)),
    "reveals late": (revealed(1), LATER_S, (W, W, C, K, S, O, V, W, W, W)),
    "contributes": (contributed(1), START_S, (W, W, C, K, S, O, V, W, W, W)),
    "contributes late": (contributed(1), LATER_S, (W, W, W, K, S, O, V, W, W, W)),
    "checks": (checked(1), START_S, (W, W, W, K, S, O, V, W, W, W)),
    "checks late": (checked(1), LATER_S, (W, W, W, W, S, O, V, W, W, W)),
    "answers": (answered(1), START_S, (W, W, W, W, W, O, V, W, W, W)),
    "answers late": (answered(4), LATER_S, (W, W, W, W, W, W, W, W, W, W)),
    "expelled": (events.Expelled(member(1)), START_S, (J, R, C, K, S, O, V, P, X, A)),
    "time": (events.TimePassed(), START_S + 9, (J, R, C, K, S, O, V, P, X, A)),
    "deadline": (events.TimePassed(), LATER_S, (A, A, A, A, A, A, A, P, X, A)),
    "resumed": (events.Resumed(), LATER_S, (J, R, C, K, S, O, V, P, X, A)),
    "judged": (events.Judged(), START_S, (W, W, W, S, W, W, W, W, W, W)),
    "summed": (events.Summed(), START_S, (W, W, W, W, O, W, W, W, W, W)),
    "opened": (events.Opened(()), START_S, (W, W, W, W, W, V, W, W, W, W)),
    "not opened": (FAILED, START_S, (W, W, W, W, W, O, W, W, W, W)),
    "released": (events.Released(7), START_S, (W, W, W, W, W, W, P, W, W, W)),
    "refused": (events.Refused("no"), START_S, (W, W, W, W, W, W, X, W, W, W)),
    "aborted": (events.AbortRequested("no"), START_S, (A, A, A, A, A, A, A, W, W, A)),
}


@pytest.mark.parametrize("place", range(len(STATES)), ids=STATES)
@pytest.mark.parametrize("name", TABLE)
def test_every_event_in_every_state_does_what_the_table_says(
    name: str, place: int
) -> None:
    """A transition that is not in the table does not exist."""
    event, now_s, outcomes = TABLE[name]
    before = play(new_round(), joined(1)) if place == 0 else round_in(STATES[place])
    expected = outcomes[place]

    if isinstance(expected, State):
        assert lifecycle.advance(before, event, now_s).state is expected
    else:
        with pytest.raises(expected) as caught:
            lifecycle.advance(before, event, now_s)
        assert caught.value.metadata["state"] == before.state.value


def test_round_of_four_walks_through_every_state_in_order() -> None:
    """The path that a round takes when everybody does their part."""
    published = round_in(State.PUBLISHED)

    path = [entry.state for entry in published.history]

    assert path == [J, R, C, K, S, O, V, P]
    assert published.priors_revision == 1
    assert not published.checks
    assert not published.answers


@pytest.mark.parametrize("state", sorted(ENDED))
def test_ended_round_is_final_for_the_clock(state: State) -> None:
    """Neither time nor a restart changes what has ended: it is the same object."""
    ended = round_in(state)

    assert lifecycle.advance(ended, events.TimePassed(), 1e12) is ended
    assert lifecycle.advance(ended, events.Resumed(), 1e12) is ended


def test_joining_ends_with_the_deadline_where_nobody_is_expected() -> None:
    """An open round waits for latecomers until the last moment and no longer."""
    waiting = play(new_round(terms(members_expected=0)), *script.STEPS[J])

    assert waiting.state is J
    assert play(waiting, events.TimePassed(), now_s=LATER_S).state is R


def test_too_few_members_abort_with_a_cause_for_people() -> None:
    """Below the smallest roster the threshold would promise nothing."""
    two = play(new_round(), joined(1), joined(2))

    aborted = play(two, events.TimePassed(), now_s=LATER_S)

    assert aborted.state is A
    assert aborted.end_cause == "2 members joined; a round needs 3."


def test_roster_is_those_who_joined_and_revealed() -> None:
    """Who keeps its nonce back has no part in the beacon, and so none in the round."""
    agreed = terms(participation_min=0.5)
    three = play(round_in(R, agreed), revealed(3), revealed(1), revealed(2))

    fixed = play(three, events.TimePassed(), now_s=LATER_S)

    assert fixed.state is C
    assert fixed.roster == (member(1), member(2), member(3))
    assert fixed.thresholds == Thresholds.for_roster(3)


def test_participation_counts_everybody_who_joined() -> None:
    """Three of four are 75 %: the one who did not reveal counts as absent."""
    strict = terms(participation_min=0.8)
    three = play(round_in(R, strict), revealed(1), revealed(2), revealed(3))

    aborted = play(three, events.TimePassed(), now_s=LATER_S)

    assert aborted.state is A
    assert "3 of 4 members revealed; 4 are needed" in aborted.end_cause


def test_vanished_member_is_carried_where_participation_allows() -> None:
    """Three contributions of four joined members satisfy 75 %."""
    three = play(round_in(C), contributed(4), contributed(2), contributed(1))

    fixed = play(three, events.TimePassed(), now_s=LATER_S)

    assert fixed.state is K
    assert fixed.contributors == (member(1), member(2), member(4))
    assert fixed.survivors == ()


def test_vanished_member_aborts_where_participation_does_not_allow() -> None:
    """The cause names what was there and what was needed."""
    strict = terms(participation_min=0.8)
    three = play(round_in(C, strict), *(contributed(index) for index in (1, 2, 3)))

    aborted = play(three, events.TimePassed(), now_s=LATER_S)

    assert aborted.state is A
    assert "3 of 4 members contributed; 4 are needed" in aborted.end_cause


def test_participation_is_exact_for_decimal_ratios() -> None:
    """In floats, 0.55 of 100 members would be 56."""
    assert terms(participation_min=0.55).contributors_min(100) == 55
    assert terms(participation_min=0.8).contributors_min(4) == 4
    assert terms(participation_min=0.8).contributors_min(5) == 4


def test_survivors_also_suffice_to_open_and_to_hide_colluders() -> None:
    """A low participation does not lower what opening and noise need."""
    agreed = terms(participation_min=0.1, members_max=200)
    hundred = play(new_round(replace(agreed, members_expected=0)), joined(1))

    assert hundred.noise.survivors_min == 3
    many = replace(
        hundred,
        members={member(index): joined(index).entry for index in range(100)},
    )
    assert many.noise.survivors_min == Thresholds.for_roster(100).reconstruct == 67
    assert many.noise.colluders_max == 33


def test_large_roster_gets_more_noise_rather_than_shares_too_small_to_draw() -> None:
    """A share below the sampler's least scale would be refused by every member."""
    agreed = terms(noise_scale=0.6, members_max=200, participation_min=1.0)
    many = replace(
        new_round(agreed),
        members={member(index): joined(index).entry for index in range(100)},
    )

    assert many.noise.scale == pytest.approx(1.4 * (100 - 33) ** 0.5)
    assert new_round(agreed).noise.scale == pytest.approx(1.4 * 3**0.5)


def test_second_message_with_other_content_is_a_conflict() -> None:
    """One join, one nonce, one body and one answer per member may ever exist."""
    other_keys = events.Joined(member(1), joined(7).entry)

    with pytest.raises(ShareConflict):
        play(new_round(), joined(1), other_keys)
    with pytest.raises(ShareConflict):
        play(round_in(R), revealed(1), events.Revealed(member(1), script.nonce(2)))
    with pytest.raises(ShareConflict):
        play(round_in(C), contributed(1), contributed(1, content=b"other"))
    with pytest.raises(ShareConflict):
        play(round_in(O), answered(1), answered(1, share_sum=b"other"))


def test_rejoining_with_a_fresh_binding_signature_is_the_same_join() -> None:
    """ECDSA signs differently each time; keys and commitment are what counts."""
    first = joined(1)
    rebound = replace(first.entry.binding, signature=b"another")
    again = events.Joined(member(1), replace(first.entry, binding=rebound))
    before = play(new_round(), first)

    assert play(before, again) is before


@pytest.mark.parametrize("copied", ["commitment", "binding"])
def test_copied_keys_or_commitment_are_refused(copied: str) -> None:
    """A roster that holds them twice could not be hashed: one copy ends the round."""
    own, other = joined(2).entry, joined(1).entry
    copy = replace(own, **{copied: getattr(other, copied)})

    with pytest.raises(FieldInvalid):
        play(new_round(), joined(1), events.Joined(member(2), copy))


def test_full_round_takes_nobody_more() -> None:
    """The largest roster is a limit that is reached."""
    agreed = terms(members_max=3, members_expected=0)
    full = play(new_round(agreed), joined(1), joined(2), joined(3))

    with pytest.raises(LimitReached):
        play(full, joined(4))


def test_strangers_get_not_on_roster() -> None:
    """Only those who joined and revealed have a say."""
    agreed = terms(participation_min=0.5)
    three = play(round_in(R, agreed), revealed(1), revealed(2), revealed(3))
    collecting = play(three, events.TimePassed(), now_s=LATER_S)

    with pytest.raises(NotOnRoster):
        play(round_in(R), revealed(9))
    with pytest.raises(NotOnRoster):
        play(collecting, contributed(4), now_s=LATER_S)
    with pytest.raises(NotOnRoster):
        play(round_in(O), answered(9))


def test_opening_is_due_with_enough_answers_and_again_with_more() -> None:
    """A failed attempt is not repeated before there is something new to try."""
    two = play(round_in(O), answered(1), answered(2))
    three = play(two, answered(3))
    failed = play(three, events.OpeningFailed(3, "liars"))

    assert work_due(two) is None
    assert work_due(three) is Work.OPEN
    assert work_due(failed) is None
    assert work_due(play(failed, answered(4))) is Work.OPEN


def test_opening_aborts_when_all_answered_in_vain() -> None:
    """Nobody is left who could make a difference."""
    every = play(round_in(O), *(answered(index) for index in (1, 2, 3, 4)))

    failed = events.OpeningFailed(4, "They contradict each other.", decided=True)
    aborted = play(every, failed)

    assert aborted.state is A
    assert "4 of 4 holders answered" in aborted.end_cause
    assert "They contradict each other." in aborted.end_cause


def test_opening_decides_at_its_deadline_by_the_answers_that_are_there() -> None:
    """An attempt that waited for more is repeated once, and then it is over."""
    three = play(round_in(O), answered(1), answered(2), answered(3))
    tried = play(three, events.OpeningFailed(3, "?"))

    over = play(tried, events.TimePassed(), now_s=LATER_S)
    still = play(over, events.OpeningFailed(3, "?"), now_s=LATER_S)
    failed = events.OpeningFailed(3, "Too few.", decided=True)

    assert not endings.opening_decides(tried)
    assert endings.opening_decides(over)
    assert (work_due(tried), work_due(over), work_due(still)) == (
        None,
        Work.OPEN,
        Work.OPEN,
    )
    assert play(over, events.TimePassed(), now_s=LATER_S) is over
    assert play(still, failed, now_s=LATER_S).state is A
    assert play(over, events.Opened((member(2),)), now_s=LATER_S).state is V


def test_last_answer_decides_without_waiting_for_the_deadline() -> None:
    """Nobody is left who could tell more: who checked has answered, or was expelled."""
    three = play(round_in(O), answered(1), answered(2), answered(3))

    every = play(three, answered(4))
    expelled = play(three, events.Expelled(member(4)))

    assert not endings.opening_decides(three)
    assert endings.opening_decides(every)
    assert endings.opening_decides(expelled)


def test_failed_attempt_that_new_answers_overtook_is_no_end() -> None:
    """The fourth answer came while three were being tried."""
    every = play(round_in(O), *(answered(index) for index in (1, 2, 3, 4)))

    waiting = play(every, events.OpeningFailed(3, "?"))

    assert waiting.state is O
    assert work_due(waiting) is Work.OPEN


def test_resumed_round_gets_the_grace_but_never_loses_time() -> None:
    """An outage of the coordinator's own does not end a round."""
    fresh = round_in(C)

    late = play(fresh, events.Resumed(), now_s=LATER_S + 100)

    assert late.deadline_s == LATER_S + 105
    assert play(fresh, events.Resumed(), now_s=START_S) is fresh


@pytest.mark.parametrize("state", [J, R, C, K, S, O, V])
def test_resumed_round_lasts_no_longer_than_its_state_may(state: State) -> None:
    """The wall clock was set back while the coordinator was away: no round hangs."""
    stored = round_in(state)
    now_s = START_S - 86_400

    resumed = play(stored, events.Resumed(), now_s=now_s)

    assert resumed.deadline_s == now_s + stored.terms.durations.of(state)


def test_cause_of_an_abort_is_cut_to_its_limit() -> None:
    """An operator's words are stored and shown; they have a limit like all else."""
    aborted = play(new_round(), events.AbortRequested("x" * 10_000))

    assert len(aborted.end_cause) == endings.CAUSE_LENGTH_MAX


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"participation_min": 0.0}, FieldInvalid),
        ({"participation_min": 1.1}, FieldInvalid),
        ({"members_min": 2}, FieldInvalid),
        ({"members_max": 2}, FieldInvalid),
        ({"members_max": 2000}, FieldInvalid),
        ({"members_expected": 2}, FieldInvalid),
        ({"members_expected": -1}, FieldInvalid),
        ({"members_expected": 9}, FieldInvalid),
        ({"noise_scale": 1e8}, HeadroomExceeded),
        ({"noise_scale": 1e15}, FieldInvalid),
    ],
)
def test_terms_that_no_round_can_keep_are_refused_before_it_opens(
    changes: dict[str, object], error: type[FederationError]
) -> None:
    """A limit found when members have encrypted already is found too late."""
    with pytest.raises(error):
        new_round(terms(**changes))
