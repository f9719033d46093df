"""How often members may call, and what becomes of those who send rubbish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.members.conduct import HOUR_S, Conducts, group_of
from coordinator.members.settings import MembersSettings
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import RateLimited
from federated_router.kit.peers import PeerCertificate

A, B = MemberName("node/a"), MemberName("node/b")
CERTIFICATE = PeerCertificate(1, 9e9)
JOIN = "/federated_router.api.v1.AggregationService/JoinRound"
WATCH = "/federated_router.api.v1.AggregationService/WatchRound"


def conducts(**section: object) -> Conducts:
    """Return what a coordinator with these settings keeps."""
    return Conducts(MembersSettings.model_validate(section))


def admitted(
    kept: Conducts, now_s: float, *, member: MemberName = A, method: str = JOIN
) -> bool:
    """Return whether a call may run."""
    try:
        kept.admit(member, CERTIFICATE, method=method, now_s=now_s)
    except RateLimited:
        return False
    return True


@given(
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=80),
    burst=st.integers(1, 10),
    per_minute=st.floats(1, 300),
)
def test_no_stretch_of_time_lets_more_through_than_burst_and_rate(
    gaps: list[float], burst: int, per_minute: float
) -> None:
    """Whatever the pattern: at most `burst` and what the rate adds meanwhile."""
    kept = conducts(calls_burst=burst, calls_per_minute_max=per_minute)
    now_s, let_in = 0.0, []
    for gap in gaps:
        now_s += gap
        if admitted(kept, now_s):
            let_in.append(now_s)

    for first, start_s in enumerate(let_in):
        for last in range(first, len(let_in)):
            allowed = burst + (let_in[last] - start_s) * per_minute / 60
            assert last - first + 1 <= allowed + 1e-6


@given(burst=st.integers(1, 20))
def test_member_that_waits_as_told_is_let_in(burst: int) -> None:
    """`retry_after_s` is the truth: neither too short nor a lie."""
    kept = conducts(calls_burst=burst, calls_per_minute_max=6)
    for _ in range(burst):
        kept.admit(A, CERTIFICATE, method=JOIN, now_s=0.0)
    with pytest.raises(RateLimited) as refused:
        kept.admit(A, CERTIFICATE, method=JOIN, now_s=0.0)
    wait_s = refused.value.retry_after_s or 0.0

    assert not admitted(kept, wait_s * 0.9)
    assert admitted(kept, wait_s + 1e-6)


def test_one_members_calls_cost_no_other_and_streams_no_rounds() -> None:
    """A member that watches too often may still finish its round."""
    kept = conducts(calls_burst=1, calls_per_minute_max=1)

    assert admitted(kept, 0.0, method=WATCH)
    assert not admitted(kept, 0.0, method=WATCH)
    assert admitted(kept, 0.0, method=JOIN)
    assert admitted(kept, 0.0, member=B, method=WATCH)


def test_groups_are_services_and_streams() -> None:
    """As many buckets as services, whatever the methods' names are."""
    assert group_of(JOIN) == "AggregationService"
    assert group_of(WATCH) == "watch"


def test_rubbish_is_refused_for_a_while_and_not_for_ever() -> None:
    """Three within the hour suspend; afterwards the count begins anew."""
    kept = conducts(malformed_per_hour_max=3, suspension_s=60)
    admitted(kept, 0.0)
    for at_s in (1.0, 2.0, 3.0):
        assert admitted(kept, at_s)
        kept.malformed(A, now_s=at_s)

    assert not admitted(kept, 4.0)
    assert not admitted(kept, 62.9)
    assert admitted(kept, 63.1)
    kept.malformed(A, now_s=64.0)
    assert admitted(kept, 65.0)


def test_rubbish_of_more_than_an_hour_ago_is_forgotten() -> None:
    """A member with a rare defect is not sent away for it."""
    kept = conducts(malformed_per_hour_max=2)
    for hour in range(5):
        at_s = hour * (HOUR_S + 1)
        assert admitted(kept, at_s)
        kept.malformed(A, now_s=at_s)

    conduct = kept.of(A)
    assert conduct is not None
    assert conduct.malformed == 5
    assert len(conduct.malformed_s) == 1


def test_failed_signatures_are_counted_apart_and_as_malformed() -> None:
    """Operators see which of both it was."""
    kept = conducts()
    admitted(kept, 0.0)
    kept.signature_failed(A, now_s=0.0)
    kept.malformed(A, now_s=0.0)

    conduct = kept.of(A)
    assert conduct is not None
    assert (conduct.signature_failures, conduct.malformed) == (1, 2)


def test_memory_is_bounded_and_nobody_is_forgotten_to_escape() -> None:
    """A crowd of names cannot push a suspended member's count out."""
    kept = conducts(members_max=3, malformed_per_hour_max=1, suspension_s=10 * HOUR_S)
    admitted(kept, 0.0)
    kept.malformed(A, now_s=0.0)
    crowd = [MemberName(f"node/m{index}") for index in range(5)]

    first = [admitted(kept, 1.0, member=one) for one in crowd]
    later = [admitted(kept, 2 * HOUR_S, member=one) for one in crowd]

    assert first == [True, True, False, False, False]
    assert len(kept) == 3
    assert not admitted(kept, 3 * HOUR_S)
    assert not any(later[2:])


def test_who_was_silent_for_an_hour_makes_room() -> None:
    """Members come and go over the years."""
    kept = conducts(members_max=3)
    names = [MemberName(f"node/m{index}") for index in range(4)]

    for index, name in enumerate(names[:3]):
        assert admitted(kept, float(index), member=name)

    assert admitted(kept, HOUR_S + 0.5, member=names[3])
    assert kept.of(names[0]) is None
    assert len(kept) == 3
