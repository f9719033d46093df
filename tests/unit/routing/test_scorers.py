"""Scores lie in [0, 1]; better priors score better; ignorance is neutral."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.scorers import (
    FREE_SLOTS,
    NEUTRAL,
    PRIOR_SPEED,
    PRIOR_SUCCESS,
    Scorer,
)

QUERY = RouteQuery("models/m")
SCORERS = (FREE_SLOTS, PRIOR_SPEED, PRIOR_SUCCESS)


def candidate(
    node: str = "nodes/n1",
    *,
    model: str = "models/m",
    region: str = "north",
    slots: int = 2,
    in_flight: int = 0,
) -> Candidate:
    """Return a candidate."""
    return Candidate(
        node=node,
        address="a:1",
        model=model,
        region=region,
        state=NodeState.READY,
        private=False,
        context_tokens_max=128,
        slots=slots,
        in_flight=in_flight,
    )


def known(
    *, success: float = 0.9, p50_ms: float | None = 20.0, weight: float = 1.0
) -> Performance:
    """Return what the federation believes of a cell."""
    return Performance(
        sample_count=1000,
        success_ratio=success,
        latency_ms_p50=p50_ms,
        latency_ms_p95=None,
        latency_ms_p99=None,
        weight=weight,
    )


def view(cells: Mapping[str, Performance], revision: int = 1) -> PriorsView:
    """Return priors of the model by region."""
    return PriorsView(
        revision, {Cell("models/m", region): one for region, one in cells.items()}
    )


REGIONS = ("north", "south", "east", "west")
CANDIDATES = st.lists(
    st.builds(
        candidate,
        region=st.sampled_from(REGIONS),
        slots=st.integers(min_value=-5, max_value=1 << 31),
        in_flight=st.integers(min_value=0, max_value=1 << 40),
    ),
    max_size=6,
)
BELIEFS = st.builds(
    known,
    success=st.floats(min_value=0, max_value=1),
    p50_ms=st.none()
    | st.floats(min_value=0, max_value=1e9, exclude_min=True, allow_subnormal=False),
    weight=st.floats(min_value=0, max_value=1),
)
VIEWS = st.dictionaries(st.sampled_from(REGIONS), BELIEFS).map(view)


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda one: one.name)
@given(candidates=CANDIDATES, priors=VIEWS)
def test_scores_lie_between_zero_and_one_for_any_input(
    scorer: Scorer, candidates: Sequence[Candidate], priors: PriorsView
) -> None:
    """Weights mean something only if every scorer keeps to the same range."""
    scores = scorer.score(candidates, QUERY, priors)

    assert len(scores) == len(candidates)
    assert all(0.0 <= score <= 1.0 for score in scores)


@given(candidates=CANDIDATES)
def test_live_opinion_is_the_settled_one(candidates: Sequence[Candidate]) -> None:
    """The quick way to a score must be the same score."""
    live = FREE_SLOTS.live
    assert live is not None

    scores = FREE_SLOTS.score(candidates, QUERY, PriorsView())

    running = np.array([one.in_flight for one in candidates], dtype=np.float64)
    slots = np.array([one.slots for one in candidates], dtype=np.float64)
    assert scores == live(running, slots).tolist()


def test_free_slots_fall_from_one_by_the_share_in_use() -> None:
    """1 when idle, a half when full, towards 0 beyond."""
    loads = (0, 2, 4, 200)

    scores = FREE_SLOTS.score(
        [candidate(in_flight=n) for n in loads], QUERY, PriorsView()
    )

    assert scores[:2] == [1.0, 0.5]
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < 0.02


def test_larger_node_is_freer_under_the_same_load() -> None:
    """Two requests are much for a small machine and little for a large one."""
    small, large = candidate(slots=2, in_flight=2), candidate(slots=8, in_flight=2)

    first, second = FREE_SLOTS.score([small, large], QUERY, PriorsView())

    assert first < second


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
def test_without_priors_everybody_is_neutral(scorer: Scorer) -> None:
    """A federation that has learnt nothing decides by load alone."""
    scores = scorer.score([candidate(), candidate(region="south")], QUERY, PriorsView())

    assert scores == [NEUTRAL, NEUTRAL]


@pytest.mark.parametrize(
    ("scorer", "better", "worse"),
    [
        (PRIOR_SPEED, known(p50_ms=10.0), known(p50_ms=40.0)),
        (PRIOR_SUCCESS, known(success=0.99), known(success=0.7)),
    ],
)
@pytest.mark.parametrize("weight", [0.1, 0.5, 1.0])
def test_better_prior_scores_better(
    scorer: Scorer, better: Performance, worse: Performance, weight: float
) -> None:
    """However little the counts are trusted, the order is theirs."""
    from dataclasses import replace

    priors = view(
        {
            "north": replace(better, weight=weight),
            "south": replace(worse, weight=weight),
        }
    )

    first, second = scorer.score(
        [candidate(), candidate(region="south")], QUERY, priors
    )

    assert first > second


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
def test_unknown_candidate_stands_between_the_known(scorer: Scorer) -> None:
    """Ignorance must not beat the best, nor be worse than the worst."""
    priors = view(
        {
            "north": known(success=0.99, p50_ms=10.0),
            "south": known(success=0.6, p50_ms=80.0),
        }
    )
    three = [candidate(region=region) for region in ("north", "east", "south")]

    best, unknown, worst = scorer.score(three, QUERY, priors)

    assert best > unknown > worst


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
def test_cell_without_weight_is_an_unknown_one(scorer: Scorer) -> None:
    """Counts below the noise say nothing, whatever their figures are."""
    priors = view({"north": known(), "south": known(success=0.0, p50_ms=1e6, weight=0)})
    three = [candidate(region=region) for region in ("north", "south", "east")]

    _, silent, unknown = scorer.score(three, QUERY, priors)

    assert silent == unknown


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
@given(weights=st.tuples(*[st.floats(min_value=0.01, max_value=1)] * 2))
def test_more_samples_alone_make_nobody_better(
    scorer: Scorer, weights: tuple[float, float]
) -> None:
    """Two cells of one performance score alike, however often each was seen."""
    priors = view(
        {"north": known(weight=weights[0]), "south": known(weight=weights[1])}
    )

    first, second = scorer.score(
        [candidate(), candidate(region="south")], QUERY, priors
    )

    assert first == pytest.approx(second)


def test_another_models_priors_do_not_count() -> None:
    """A cell is a model in a region; neither alone is enough."""
    priors = view({"north": known(success=0.1)})

    scores = PRIOR_SUCCESS.score([candidate(model="models/other")], QUERY, priors)

    assert scores == [NEUTRAL]
