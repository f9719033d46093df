"""Scorers of one moment: tables of what they say, after llm-d's scorer tests."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.registry.membership import Tariff
from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.loads import Recent
from federated_router.routing.moment import Moment
from federated_router.routing.moving_scorers import (
    BLOCK_TOKENS,
    CARBON,
    COST,
    OBSERVED_SPEED,
    PREFIX,
    MovingScorer,
    prefill_costs,
)
from federated_router.routing.observed import Observed
from federated_router.routing.prefix_index import PrefixIndex
from federated_router.routing.roster import Roster
from federated_router.routing.served import Served
from federated_router.routing.settings import ObservationSettings, PrefixSettings
from tests.unit.routing.placing import candidate

THREE = [candidate(f"nodes/{name}") for name in "abc"]
LONG = Shape(prompt_tokens=8 * BLOCK_TOKENS, tokens_max=100, prefix=tuple(range(8)))
NO_REQUEST_TOKENS = PrefixSettings(request_tokens=0, imbalance_max=2.0)


def holding(**depths: int) -> PrefixIndex:
    """Return an index in which nodes hold so many of the first blocks."""
    known = PrefixIndex(blocks_per_site_max=100, blocks_max=1000)
    for name, depth in depths.items():
        known.learn((f"nodes/{name}", "models/m"), tuple(range(depth)))
    return known


@pytest.mark.parametrize(
    ("held", "unread", "costs"),
    [
        ({}, {}, [8, 8, 8]),
        ({"a": 8}, {}, [0, 8, 8]),
        ({"a": 6, "b": 2}, {}, [2, 6, 8]),
        ({"a": 8}, {"nodes/a": 9 * BLOCK_TOKENS}, [9, 8, 8]),
        ({"a": 4}, {"nodes/a": 3 * BLOCK_TOKENS}, [7, 8, 8]),
        ({}, {"nodes/b": 1 * BLOCK_TOKENS}, [8, 9, 8]),
    ],
)
def test_cost_is_queue_and_uncached_prefill(
    held: dict[str, int], unread: dict[str, int], costs: list[int]
) -> None:
    """In blocks: what waits there, and what of the own prompt is not held."""
    moment = Moment(
        shape=LONG,
        unread_tokens=unread,
        prefixes=holding(**held),
        prefix=NO_REQUEST_TOKENS,
    )

    found = prefill_costs(Roster(THREE), moment).tolist()

    assert found == [cost * BLOCK_TOKENS for cost in costs]
    scores = PREFIX.score(THREE, moment)
    assert scores.index(max(scores)) == costs.index(min(costs))
    assert max(scores) == 1.0


def test_weight_divides_the_cost() -> None:
    """A node of twice the weight is given twice the queue."""
    heavy = [replace(THREE[0], weight=2.0), THREE[1]]
    waiting = {"nodes/a": 2000, "nodes/b": 1000}

    costs = prefill_costs(
        Roster(heavy), Moment(unread_tokens=waiting, prefix=NO_REQUEST_TOKENS)
    )

    assert costs[0] == costs[1]


def test_running_request_weighs_what_is_configured() -> None:
    """Also a request whose prompt nobody estimated."""
    moment = Moment(in_flight={"nodes/a": 3}, prefix=PrefixSettings(request_tokens=50))

    assert prefill_costs(Roster(THREE), moment).tolist() == [150, 0, 0]


@pytest.mark.parametrize(
    ("share", "credited"),
    [(1.0, 1.0), (1.5, 1.0), (1.75, 0.5), (2.0, 0.0), (3.0, -1.0)],
)
def test_credit_for_what_is_held_fades_with_the_share_of_requests(
    share: float, credited: float
) -> None:
    """A cache that everybody's requests begin in must not get everybody's requests."""
    recent = Recent(latest=1 << 40)
    others = (3.0 - share) / 2
    recent.by_node.update(
        {
            "nodes/a": share * 1e9,
            "nodes/b": others * 1e9,
            "nodes/c": others * 1e9,
        }
    )
    moment = Moment(
        shape=LONG, recent=recent, prefixes=holding(a=8), prefix=NO_REQUEST_TOKENS
    )

    cost = prefill_costs(Roster(THREE), moment)[0]

    assert cost == pytest.approx(LONG.prompt_tokens * (1 - credited), rel=1e-6)


def seen(**total_ms: float) -> Observed:
    """Return what was seen of nodes: a hundred answers each, so long."""
    known = Observed(ObservationSettings(half_life_s=100.0, samples=1.0))
    for name, each_ms in total_ms.items():
        for _ in range(100):
            site = (f"nodes/{name}", "models/m")
            known.observe(
                site,
                Served(succeeded=True, total_ms=each_ms, completion_tokens=10),
                now_s=0.0,
            )
    return known


def test_observed_speed_prefers_the_fastest_and_tries_the_unseen() -> None:
    """A node that nobody tried scores as the fastest does."""
    fast, slow, unseen = OBSERVED_SPEED.score(
        THREE, Moment(observed=seen(a=100.0, b=400.0))
    )

    assert fast == pytest.approx(1.0)
    assert slow == pytest.approx(0.25, abs=0.02)
    assert unseen == 1.0


def test_bad_mark_fades() -> None:
    """After many half-lives a slow node is as good as one that was never seen."""
    known = seen(a=100.0, b=400.0)

    scores = [
        OBSERVED_SPEED.score(THREE, Moment(observed=known, now_s=age))[1]
        for age in (0.0, 300.0, 1000.0, 3000.0)
    ]

    assert scores == sorted(scores)
    assert scores[-1] > 0.99


def test_failures_make_a_fast_node_slow() -> None:
    """A node that refuses at once must not be the fastest of all."""
    known = seen(a=100.0, b=200.0)
    for _ in range(300):
        known.observe(
            ("nodes/a", "models/m"), Served(succeeded=False, total_ms=1.0), now_s=0.0
        )
        known.observe(
            ("nodes/c", "models/m"), Served(succeeded=False, total_ms=1.0), now_s=0.0
        )

    sometimes, never, always = OBSERVED_SPEED.score(THREE, Moment(observed=known))

    assert never > sometimes > always
    assert always == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("scorer", "tariffs", "grams", "best"),
    [
        (COST, [Tariff(1.0, 2.0), Tariff(3.0, 1.0), Tariff(9.0, 9.0)], [None] * 3, 0),
        (COST, [Tariff(), Tariff(1.0), Tariff(2.0)], [None] * 3, 0),
        (CARBON, [Tariff()] * 3, [300.0, 20.0, None], 1),
        (
            CARBON,
            [Tariff(0, 0, 1.0, 10.0), Tariff(0, 0, 9.0, 90.0), Tariff(0, 0, 1.0, 10.0)],
            [100.0, 20.0, 400.0],
            0,
        ),
    ],
)
def test_least_taken_scores_one(
    scorer: MovingScorer,
    tariffs: Sequence[Tariff],
    grams: Sequence[float | None],
    best: int,
) -> None:
    """Of this request: a long prompt and a short answer."""
    candidates = [
        replace(one, tariff=tariff, carbon_intensity=intensity)
        for one, tariff, intensity in zip(THREE, tariffs, grams, strict=True)
    ]

    scores = scorer.score(candidates, Moment(shape=LONG))

    assert scores[best] == max(scores) == 1.0
    assert sum(score == 1.0 for score in scores) == 1


CANDIDATES = st.lists(
    st.builds(
        candidate,
        node=st.sampled_from([f"nodes/{name}" for name in "abcd"]),
        weight=st.floats(min_value=0.01, max_value=1000),
    ),
    max_size=5,
    unique_by=lambda one: one.node,
)


@pytest.mark.parametrize(
    "scorer", [PREFIX, OBSERVED_SPEED, COST, CARBON], ids=lambda one: one.name
)
@given(
    candidates=CANDIDATES,
    unread=st.dictionaries(
        st.sampled_from(["nodes/a", "nodes/b"]), st.integers(0, 10**9)
    ),
    took_ms=st.floats(min_value=0, max_value=1e9),
    succeeded=st.booleans(),
    intensity=st.none() | st.floats(min_value=0, max_value=1e4),
    tariff=st.builds(Tariff, *[st.floats(min_value=0, max_value=1e6)] * 4),
)
def test_scores_lie_between_zero_and_one_for_any_moment(  # noqa: PLR0917 - drawn.
    scorer: MovingScorer,
    candidates: list[Candidate],
    unread: dict[str, int],
    took_ms: float,
    succeeded: bool,  # noqa: FBT001 - drawn.
    intensity: float | None,
    tariff: Tariff,
) -> None:
    """Weights mean something only if every scorer keeps to the same range."""
    known = Observed(ObservationSettings())
    known.observe(
        ("nodes/a", "models/m"),
        Served(succeeded=succeeded, total_ms=took_ms),
        now_s=1.0,
    )
    given_ = [
        replace(one, tariff=tariff, carbon_intensity=intensity)
        for one in candidates[:1]
    ] + candidates[1:]

    scores = scorer.score(
        given_,
        Moment(shape=LONG, unread_tokens=unread, observed=known, prefixes=holding(a=3)),
    )

    assert len(scores) == len(candidates)
    assert all(0.0 <= score <= 1.0 for score in scores)
