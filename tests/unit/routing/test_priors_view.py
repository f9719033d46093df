"""What the router believes of published priors, looked up by candidates."""

from dataclasses import replace

from federated_router.priors.accumulate import accumulate
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, CellCounts, Contents
from federated_router.priors.publication import Priors
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.priors_view import view_of
from federated_router.routing.scorers import PRIOR_SPEED

CANDIDATE = Candidate(
    node="nodes/n1",
    address="a:1",
    model="models/m",
    region="north",
    state=NodeState.READY,
    private=False,
    context_tokens_max=128,
    slots=2,
    in_flight=0,
)


def test_view_reads_every_cell_of_the_publication() -> None:
    """Published counts become beliefs once, when they come."""
    catalogue = Catalogue(
        version=1,
        models=("models/m",),
        regions=("north", "south"),
        latency_bounds_ms=(10.0, 20.0),
        slot_max=100,
    )
    priors = Priors(
        revision=7,
        round_name="rounds/r",
        create_time_s=0.0,
        catalogue=catalogue,
        members=3,
        noise_standard_deviation=1.0,
        contents=Contents(
            performance={
                Cell("models/m", "north"): CellCounts((0, 2000, 0), 0),
                Cell("models/m", "south"): CellCounts((0, 0, 0), 0),
            }
        ),
    )

    seen = view_of(accumulate(None, priors, half_life_s=1.0))

    north = seen.performance("models/m", "north")
    assert seen.revision == 7
    assert north is not None
    assert 10.0 <= (north.latency_ms_p50 or 0) <= 20.0
    assert seen.performance("models/m", "south") is None
    assert seen.performance("models/m", "west") is None


def test_candidates_are_judged_by_their_own_tier() -> None:
    """A model that one node runs at a slower tier is slower there, and only there."""
    catalogue = Catalogue(
        version=1,
        models=("models/m",),
        regions=("north",),
        tiers=("standard", "economy"),
        latency_bounds_ms=(10.0, 20.0),
        slot_max=10_000,
    )
    priors = Priors(
        revision=1,
        round_name="rounds/r",
        create_time_s=0.0,
        catalogue=catalogue,
        members=3,
        noise_standard_deviation=1.0,
        contents=catalogue.decode([2000, 0, 0, 0, 0, 2000, 0, 0]),
    )

    standard, economy, unknown = PRIOR_SPEED.score(
        [
            CANDIDATE,
            replace(CANDIDATE, tier="economy"),
            replace(CANDIDATE, tier="gold"),
        ],
        RouteQuery(CANDIDATE.model),
        view_of(accumulate(None, priors, half_life_s=1.0)),
    )

    assert economy < unknown < standard
