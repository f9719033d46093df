"""A private request is judged by private answers, and never by some of each."""

from dataclasses import replace

import pytest

from federated_router.kit.clock import ManualClock
from federated_router.priors.contents import PRIVATE_TIER, STANDARD_TIER, Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import NodeState, Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.router import Router
from federated_router.routing.scorers import PRIOR_SPEED, PRIOR_SUCCESS, Scorer
from federated_router.routing.settings import RoutingSettings

MODEL = "models/m"
PUBLIC, PRIVATE = RouteQuery(MODEL), RouteQuery(MODEL, private=True)
NORTH = Candidate(
    node="nodes/n",
    address="a:1",
    model=MODEL,
    region="north",
    state=NodeState.READY,
    private=True,
    context_tokens_max=128,
    slots=2,
    in_flight=0,
)
SOUTH = replace(NORTH, node="nodes/s", region="south")
BOTH = [NORTH, SOUTH]
GOOD = Performance(1000, 0.99, 10.0, None, None, 1.0)
BAD = Performance(1000, 0.6, 80.0, None, None, 1.0)


def priors(
    public: tuple[Performance, Performance],
    private: tuple[Performance | None, Performance | None] = (None, None),
) -> PriorsView:
    """Return what is known of north and south, by tier."""
    cells = {
        Cell(MODEL, region, tier): one
        for tier, pair in ((STANDARD_TIER, public), (PRIVATE_TIER, private))
        for region, one in zip(("north", "south"), pair, strict=True)
        if one is not None
    }
    return PriorsView(1, cells)


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
def test_private_request_is_judged_by_private_cells(scorer: Scorer) -> None:
    """Who is good at public answers may be bad at private ones."""
    seen = priors(public=(GOOD, BAD), private=(BAD, GOOD))

    north, south = scorer.score(BOTH, PUBLIC, seen)
    north_private, south_private = scorer.score(BOTH, PRIVATE, seen)

    assert north > south
    assert north_private < south_private


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
@pytest.mark.parametrize("private", [None, replace(GOOD, weight=0.0)])
def test_public_cells_judge_where_private_ones_say_nothing(
    scorer: Scorer, private: Performance | None
) -> None:
    """A federation with few private requests still knows who fails."""
    seen = priors(public=(GOOD, BAD), private=(private, None))

    assert scorer.score(BOTH, PRIVATE, seen) == scorer.score(BOTH, PUBLIC, seen)


@pytest.mark.parametrize("scorer", [PRIOR_SPEED, PRIOR_SUCCESS])
def test_private_figures_are_never_compared_with_public_ones(scorer: Scorer) -> None:
    """Private answers are slower; to have been seen giving some is no fault."""
    slow = replace(BAD, latency_ms_p50=500.0)
    seen = priors(public=(GOOD, GOOD), private=(slow, None))

    known, unknown = scorer.score(BOTH, PRIVATE, seen)

    assert known == pytest.approx(unknown)


def test_each_scorer_falls_back_by_itself() -> None:
    """Private cells without a median leave the speed to public ones."""
    seen = priors(
        public=(GOOD, BAD),
        private=(replace(BAD, latency_ms_p50=None), replace(GOOD, latency_ms_p50=None)),
    )

    fast, slow = PRIOR_SPEED.score(BOTH, PRIVATE, seen)
    failing, working = PRIOR_SUCCESS.score(BOTH, PRIVATE, seen)

    assert fast > slow
    assert failing < working


def test_router_sends_private_and_public_requests_by_their_own_cells() -> None:
    """The slate of a public request must not answer for a private one."""
    registry = Registry(RegistrySettings(lease_s=60), ManualClock())
    for one in BOTH:
        registry.register(
            name=one.node,
            address="a:1",
            region=one.region,
            offers=[Offer(MODEL, 512, private=True, slots=2)],
        )
    router = Router(RoutingSettings(), registry)
    router.believe(priors(public=(GOOD, BAD), private=(BAD, GOOD)))

    assert router.choose(PUBLIC).node == "nodes/n"
    assert router.choose(PRIVATE).node == "nodes/s"
    chosen = router.explain(PRIVATE).chosen
    assert chosen is not None
    assert chosen.node == "nodes/s"
