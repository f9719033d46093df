"""What the window counts, for how long, and how much it keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.clock import ManualClock
from federated_router.load.quantiles import bucket_of, quantile_ms
from federated_router.load.settings import LoadSettings
from federated_router.load.window import ActivityWindow, slot_ms
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate
from federated_router.routing.served import Served

SETTINGS = LoadSettings(window_s=60.0, slices=12, pairs_max=3)
SERVED = Served(
    succeeded=True,
    total_ms=2000.0,
    first_token_ms=100.0,
    prompt_tokens=40,
    prompt_tokens_cached=10,
    completion_tokens=5,
)


def candidate(
    node: str = "nodes/a",
    model: str = "models/m",
    *,
    slots: int = 4,
    in_flight: int = 0,
) -> Candidate:
    """Return a node and a model."""
    return Candidate(
        node=node,
        address="a:1",
        model=model,
        region="north",
        state=NodeState.READY,
        private=False,
        context_tokens_max=100,
        slots=slots,
        in_flight=in_flight,
    )


@pytest.fixture
def clock() -> ManualClock:
    """Return time that the test moves."""
    return ManualClock()


@pytest.fixture
def window(clock: ManualClock) -> ActivityWindow:
    """Return a window of a minute."""
    return ActivityWindow(SETTINGS, clock)


def test_sums_are_of_requests_that_ended(window: ActivityWindow) -> None:
    """Well or not: a failure kept its slot too."""
    window.ended(candidate(), SERVED)
    window.ended(candidate(), Served(succeeded=False, total_ms=1000.0))

    (done,) = window.activities().values()

    assert (done.requests, done.failures, done.failure_ratio) == (2, 1, 0.5)
    assert (done.completion_tokens, done.prompt_cached_ratio) == (5, 0.25)
    assert (done.slot_s, done.service_s) == (3.0, 1.5)
    assert done.first_token_ms(0.5) == pytest.approx(100.0, rel=0.025)


async def test_requests_leave_the_window_slice_by_slice(
    window: ActivityWindow, clock: ManualClock
) -> None:
    """After a minute nothing is left, and the pair is forgotten."""
    for _ in range(24):
        window.ended(candidate(), SERVED)
        await clock.advance(5.0)

    counts = []
    for _ in range(13):
        counts.append(sum(one.requests for one in window.activities().values()))
        await clock.advance(5.0)

    assert counts == [*range(11, -1, -1), 0]
    assert len(window) == 0


async def test_rate_of_a_steady_load_is_right_from_the_first_slice(
    window: ActivityWindow, clock: ManualClock
) -> None:
    """The span is what was seen: a young router does not look idle."""
    for second in range(1, 200):
        await clock.advance(1.0)
        window.ended(candidate(), SERVED)
        rate = sum(x.requests for x in window.activities().values()) / window.span_s
        if second >= 5:
            assert rate == pytest.approx(1.0, rel=0.21 if second < 60 else 0.03)


def test_pairs_are_bounded_and_the_idlest_goes(window: ActivityWindow) -> None:
    """A thousand nodes that come and go cost no more than `pairs_max`."""
    for node in ("nodes/a", "nodes/b", "nodes/c", "nodes/a", "nodes/d"):
        window.ended(candidate(node), SERVED)

    assert {node for node, _ in window.activities()} == {
        "nodes/a",
        "nodes/c",
        "nodes/d",
    }


async def test_slices_are_bounded(window: ActivityWindow, clock: ManualClock) -> None:
    """However long it runs without anybody who reads."""
    for _ in range(100):
        window.ended(candidate(), SERVED)
        await clock.advance(5.0)

    assert len(window._pairs["nodes/a", "models/m"]) <= SETTINGS.slices


@pytest.mark.parametrize(
    ("in_flight", "slots", "kept_ms"),
    [(0, 4, 2000.0), (3, 4, 2000.0), (7, 4, 1000.0), (39, 4, 200.0), (1, 0, 1000.0)],
)
def test_waiting_at_the_node_is_not_service(
    in_flight: int, slots: int, kept_ms: float
) -> None:
    """Else a long queue would look like slow requests, and advice would run away."""
    asked = candidate(slots=slots, in_flight=in_flight)

    assert slot_ms(asked, SERVED) == kept_ms


@given(st.lists(st.floats(0.2, 1e6), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantile_is_within_3_percent_of_the_true_one(
    latencies: list[float], share: float
) -> None:
    """By nearest rank, for any latencies."""
    buckets: dict[int, int] = {}
    for one in latencies:
        buckets[bucket_of(one)] = buckets.get(bucket_of(one), 0) + 1
    rank = max(1, -int(-share * len(latencies) // 1))

    found = quantile_ms(buckets, share)

    assert found == pytest.approx(sorted(latencies)[rank - 1], rel=0.03)


@pytest.mark.parametrize("wild", [0.0, -5.0, 1e300, float("inf"), float("nan")])
def test_wild_latency_takes_no_wild_bucket(wild: float) -> None:
    """Memory is bounded by the buckets there are."""
    assert bucket_of(0.0) <= bucket_of(wild) <= bucket_of(1e300)


def test_nothing_has_no_quantile() -> None:
    """Absent and not zero."""
    assert quantile_ms({}, 0.5) is None
