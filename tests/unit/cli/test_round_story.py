"""What people read of a round: states, members, and what became of each."""

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.cli import round_report, round_story
from federated_router.cli.round_watch import change_line

OPENED_S = 1_700_000_000
STEPS = ("join_time", "reveal_time", "contribute_time", "check_time", "answer_time")


def member(name: str, steps: int, cohort: int = 0) -> pb.MemberProgress:
    """Return a member that came so many steps far, one a second."""
    made = pb.MemberProgress(member=name, cohort=cohort)
    for place, field in enumerate(STEPS[:steps]):
        getattr(made, field).FromSeconds(OPENED_S + place + 1)
    return made


def a_round(state: pb.Round.State, *progress: pb.MemberProgress) -> pb.Round:
    """Return a round that has entered JOINING, COLLECTING, then `state`."""
    made = pb.Round(name="rounds/r1", state=state, progress=progress)
    for place, entered in enumerate(
        (pb.Round.STATE_JOINING, pb.Round.STATE_COLLECTING, state)
    ):
        entry = made.history.add(state=entered)
        entry.enter_time.FromSeconds(OPENED_S + 10 * place)
    made.state_deadline_time.FromSeconds(OPENED_S + 100)
    return made


@pytest.mark.parametrize(
    ("steps", "phrase"),
    [
        (1, "did not reveal"),
        (2, "did not contribute"),
        (3, "contributed, not in a sum"),
        (5, "contributed, not in a sum"),
    ],
)
def test_member_that_is_in_no_sum_is_said_to_have_missed_a_step(
    steps: int, phrase: str
) -> None:
    """An operator sees at which step an absent member was lost."""
    seen = member("nodes/a", steps)

    assert (
        round_story.what_became(a_round(pb.Round.STATE_ABORTED, seen), seen) == phrase
    )


def test_survivor_that_lied_is_in_the_sum_and_named() -> None:
    """Its data counted; its answer did not."""
    seen = member("nodes/a", 5)
    one = a_round(pb.Round.STATE_PUBLISHED, seen)
    one.survivors.append("nodes/a")
    one.liars.append("nodes/a")

    assert (
        round_story.what_became(one, seen) == "in the sum, but its answers were wrong"
    )


def test_inconsistent_dealer_is_named_as_one() -> None:
    """It contributed in time and is left out all the same."""
    seen = member("nodes/a", 4)
    one = a_round(pb.Round.STATE_PUBLISHED, seen)
    one.inconsistent_dealers.append("nodes/a")

    assert "shares contradict" in round_story.what_became(one, seen)


def test_member_that_still_may_act_is_under_way() -> None:
    """Nobody is called absent before the deadline."""
    seen = member("nodes/a", 2)
    one = a_round(pb.Round.STATE_COLLECTING, seen)

    assert round_story.what_became(one, seen) == "under way"


def test_member_rows_show_seconds_after_the_opening() -> None:
    """Absolute times of a hundred members would say less."""
    one = a_round(pb.Round.STATE_PUBLISHED, member("nodes/a", 2, cohort=3))

    row = round_story.member_rows(one)[0]

    assert row[:7] == ["nodes/a", 3, "+1.00 s", "+2.00 s", "-", "-", "-"]
    assert len(row) == len(round_story.MEMBER_COLUMNS)


def test_state_rows_last_until_the_next_and_the_last_until_now() -> None:
    """A state that goes on has lasted until now, an ended one does not last."""
    running = a_round(pb.Round.STATE_OPENING)
    ended = a_round(pb.Round.STATE_PUBLISHED)
    now_s = OPENED_S + 25.0

    lasted = [row[2] for row in round_story.state_rows(running, now_s=now_s)]

    assert lasted == ["10.00 s", "10.00 s", "5.00 s"]
    assert round_story.state_rows(ended, now_s=now_s)[-1][2] == "-"


def test_facts_tell_the_time_left_only_while_there_is_any() -> None:
    """And never a negative one."""
    running, ended = a_round(pb.Round.STATE_OPENING), a_round(pb.Round.STATE_ABORTED)

    told = dict(round_story.round_facts(running, now_s=OPENED_S + 1000.0))

    assert told["ends"] == "this state, in 0 s at the latest"
    assert "ends" not in dict(round_story.round_facts(ended, now_s=OPENED_S + 1.0))


def test_line_of_a_change_tells_progress_and_at_the_end_the_cause() -> None:
    """One line answers how far and why not."""
    collecting = a_round(pb.Round.STATE_COLLECTING)
    collecting.joined_count = collecting.roster_count = 12
    collecting.contributed_count = 7
    aborted = a_round(pb.Round.STATE_ABORTED)
    aborted.end_cause = "2 members joined; a round needs 3."

    assert change_line(collecting).endswith("collecting  7 of 12 contributed")
    assert change_line(aborted).endswith(
        "aborted     2 members joined; a round needs 3."
    )


STATES = list(pb.Round.State.DESCRIPTOR.values_by_name)


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_the_contract_has_a_line(name: str) -> None:
    """A state that is added later must not break the watch."""
    one = pb.Round(state=name)

    assert round_story.state_name(one.state) in change_line(one)


def test_report_says_when_own_requests_were_too_few_to_judge() -> None:
    """A figure made of noise is not shown as a finding."""
    vague = pb.RoundReport(holdout=pb.HoldoutReport(requests=3, advantage=9.0))
    clear = pb.RoundReport(
        holdout=pb.HoldoutReport(requests=5000, advantage=-0.2, conclusive=True)
    )

    assert "too few" in dict(round_report.report_facts(vague))["own requests"]
    assert "worse" in dict(round_report.report_facts(clear))["own requests"]


def test_cohort_without_survivors_is_said_to_be_unopened() -> None:
    """Its members' contributions stay unread."""
    rows = round_report.cohort_rows(
        [
            pb.CohortReport(number=1, members=5, survivors=5, outlier=True),
            pb.CohortReport(number=2, members=5),
        ]
    )

    assert [row[-1] for row in rows] == ["outlier", "not opened: too few survivors"]
