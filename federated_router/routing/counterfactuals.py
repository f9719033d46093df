"""What would have been chosen without one of the reasons. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from federated_router.choice.choosing import NO_WISHES
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.decision import Counterfactual
from federated_router.routing.loads import Recent
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.scene import Scene
from federated_router.sensitivity.levels import Sensitivity

Case = tuple[str, Scene, RouteQuery, Moment]


def counterfactuals_of(
    scene: Scene, query: RouteQuery, moment: Moment, *, chosen: Candidate | None
) -> tuple[Counterfactual, ...]:
    """Return the reasons whose absence would have changed the choice."""
    found: list[Counterfactual] = []
    for name, other, asked, then in _cases(scene, query, moment):
        instead = other.place(asked, then, explore=False).chosen()
        if _site(instead) != _site(chosen):
            found.append(Counterfactual(name, instead))
    return tuple(found)


def _cases(scene: Scene, query: RouteQuery, moment: Moment) -> Iterator[Case]:
    facts = replace(scene.facts, carbon_intensity={})
    wishless = replace(query, models=frozenset(), regions=frozenset())
    idle = replace(
        moment, in_flight={}, unread_tokens={}, recent=Recent(moment.recent.latest)
    )
    plain = replace(moment, shape=replace(moment.shape, wishes=NO_WISHES))
    yield "priors", scene.anew(priors=PriorsView()), query, moment
    yield "wishes", scene, wishless, plain
    yield "load", scene, query, idle
    yield "carbon", scene.anew(facts=facts), query, moment
    yield "sensitivity", scene, replace(query, sensitivity=Sensitivity.PUBLIC), moment


def _site(candidate: Candidate | None) -> tuple[str, str] | None:
    return None if candidate is None else candidate.site
