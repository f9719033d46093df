"""Which models could answer now, and what their answers would take. Pure.

A model's figures are those of the best of its nodes that are open now. What does not
depend on a node's own history is the same for nodes of one kind, and worked out once
for each kind.
"""

from collections.abc import Sequence

from federated_router.choice.choosing import ModelOption
from federated_router.routing.expectations import Taking, Takings
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.slate import Slate


def options_of(
    slate: Slate,
    places: Sequence[int],
    moment: Moment,
    priors: PriorsView,
    *,
    private: bool,
) -> list[ModelOption]:
    """Return each model with an open place, by name."""
    best: dict[str, ModelOption] = {}
    takings = Takings(moment, priors, private=private)
    for place in _told_apart(slate, places, moment):
        candidate = slate.candidates[place]
        taking = takings.of(candidate, slate.sites[place], slate.kinds[place])
        known = best.get(candidate.model, ModelOption(candidate.model))
        best[candidate.model] = _better(known, taking)
    return [best[model] for model in sorted(best)]


def _told_apart(slate: Slate, places: Sequence[int], moment: Moment) -> list[int]:
    """Return a place of each kind, and every one that was seen lately."""
    kinds: set[int] = set()
    found: list[int] = []
    for place in places:
        kind = slate.kinds[place]
        if slate.sites[place] in moment.observed:
            found.append(place)
        elif kind not in kinds:
            kinds.add(kind)
            found.append(place)
    return found


def _better(known: ModelOption, taking: Taking) -> ModelOption:
    return ModelOption(
        model=known.model,
        latency_ms=_least(known.latency_ms, taking.latency_ms),
        cost=_least(known.cost, taking.cost),
        co2e_mg=_least(known.co2e_mg, taking.co2e_mg),
    )


def _least(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
