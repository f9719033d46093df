"""A round as rows for people: its states, its members, what was found.

Pure: messages and the time come in, rows go out.
"""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import aggregation_pb2 as pb

Rows = list[list[object]]
ENDED = frozenset(
    {pb.Round.STATE_PUBLISHED, pb.Round.STATE_REJECTED, pb.Round.STATE_ABORTED}
)
_STEPS = ("reveal_time", "contribute_time", "check_time", "answer_time")
_MISSED = ("did not reveal", "did not contribute", "did not check", "did not answer")
_WAITED_FOR = {
    pb.Round.STATE_REVEALING: 1,
    pb.Round.STATE_COLLECTING: 2,
    pb.Round.STATE_CHECKING: 3,
    pb.Round.STATE_OPENING: 4,
}


def state_name(state: pb.Round.State) -> str:
    """Return a state as people write it."""
    return pb.Round.State.Name(state).removeprefix("STATE_").lower()


def list_row(one: pb.Round) -> tuple[object, ...]:
    """Return one round as a row of a table."""
    return (
        one.name,
        clock_time(one.history[0].enter_time) if one.history else "-",
        state_name(one.state),
        one.joined_count,
        one.contributed_count,
        len(one.survivors),
        one.priors_revision or "-",
        one.end_cause or "-",
    )


LIST_COLUMNS = (
    "round",
    "opened",
    "state",
    "joined",
    "contributed",
    "in the sum",
    "priors",
    "cause",
)


def round_facts(one: pb.Round, *, now_s: float) -> list[tuple[str, str]]:
    """Return what is to say of a round as a whole."""
    rows = [
        ("state", state_name(one.state)),
        ("members", _counts(one)),
        ("noise", _noise(one.noise)),
        ("must contribute", f"{one.participation_min:.0%} of those who joined"),
    ]
    if one.noise.cohort_size:
        rows.insert(3, ("cohorts", _cohorts(one.noise)))
    if one.state not in ENDED:
        left_s = max(0.0, seconds(one.state_deadline_time) - now_s)
        rows.insert(1, ("ends", f"this state, in {left_s:.0f} s at the latest"))
    if one.reservation:
        rows.append(("charged to", one.reservation))
    if one.priors_revision:
        rows.append(("published", f"priors revision {one.priors_revision}"))
    if one.end_cause:
        rows.append(("cause", one.end_cause))
    return rows


def state_rows(one: pb.Round, *, now_s: float) -> Rows:
    """Return each state that was entered: when, and how long it lasted."""
    starts = [seconds(entry.enter_time) for entry in one.history]
    ends: list[float | None] = [*starts[1:]]
    if starts:
        ends.append(None if one.state in ENDED else now_s)
    return [
        [
            state_name(entry.state),
            clock_time(entry.enter_time),
            "-" if end is None else f"{max(0.0, end - start):.2f} s",
        ]
        for entry, start, end in zip(one.history, starts, ends, strict=True)
    ]


def member_rows(one: pb.Round) -> Rows:
    """Return each member: cohort, seconds after the opening of each step, its end."""
    opened_s = seconds(one.history[0].enter_time) if one.history else 0.0
    return [
        [
            member.member,
            member.cohort or "-",
            *(
                _after(member, field, opened_s=opened_s)
                for field in ("join_time", *_STEPS)
            ),
            what_became(one, member),
        ]
        for member in one.progress
    ]


MEMBER_COLUMNS = (
    "member",
    "cohort",
    "joined",
    "revealed",
    "contributed",
    "checked",
    "answered",
    "what became of it",
)


def what_became(one: pb.Round, member: pb.MemberProgress) -> str:
    """Return one phrase for how far a member came."""
    name = member.member
    if name in one.inconsistent_dealers:
        return "left out: its shares contradict each other"
    lied = ", but its answers were wrong" if name in one.liars else ""
    if name in one.survivors:
        return f"in the sum{lied}"
    missed = next(
        (place for place, step in enumerate(_STEPS) if not member.HasField(step)),
        len(_STEPS),
    )
    if one.state not in ENDED and missed + 1 >= _WAITED_FOR.get(one.state, 1):
        return f"under way{lied}"
    if member.HasField("contribute_time"):
        return f"contributed, not in a sum{lied}"
    return f"{_MISSED[missed]}{lied}"


def progress_line(one: pb.Round) -> str:
    """Return how far the present state came."""
    asked = max(one.roster_count, one.joined_count)
    told = {
        pb.Round.STATE_JOINING: f"{one.joined_count} joined",
        pb.Round.STATE_COLLECTING: f"{one.contributed_count} of {asked} contributed",
        pb.Round.STATE_CHECKING: f"{one.checked_count} of {asked} checked their shares",
        pb.Round.STATE_OPENING: f"{one.answered_count} of {asked} answered",
        pb.Round.STATE_PUBLISHED: f"priors revision {one.priors_revision}",
    }
    said = told.get(one.state, "")
    return one.end_cause or said


def seconds(stamp: Timestamp) -> float:
    """Return an instant in seconds since the epoch."""
    return stamp.ToNanoseconds() / 1e9


def clock_time(stamp: Timestamp) -> str:
    """Return an instant to the second, in UTC."""
    return f"{datetime.fromtimestamp(seconds(stamp), tz=UTC):%Y-%m-%d %H:%M:%S}"


def _after(member: pb.MemberProgress, field: str, *, opened_s: float) -> str:
    if not member.HasField(field):
        return "-"
    return f"+{max(0.0, seconds(getattr(member, field)) - opened_s):.2f} s"


def _counts(one: pb.Round) -> str:
    return (
        f"{one.joined_count} joined, {one.roster_count} on the roster, "
        f"{one.contributed_count} contributed, {one.checked_count} checked, "
        f"{one.answered_count} answered, {len(one.survivors)} in the sum"
    )


def _noise(noise: pb.NoiseTerms) -> str:
    return (
        f"standard deviation {noise.scale:g} from at least {noise.survivors_min} "
        f"members, {noise.colluders_max} of whom may leave theirs out"
    )


def _cohorts(noise: pb.NoiseTerms) -> str:
    return (
        f"of {noise.cohort_size} and more, opened from {noise.cohort_survivors_min} "
        f"survivors on, {noise.cohort_colluders_max} of whom may collude"
    )
