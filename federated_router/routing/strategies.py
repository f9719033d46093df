"""The strategies there are: those built in, and those that configuration composes.

Decides which parts have names, and refuses names that no part has, as the router
starts. Filters that keep promises to callers apply to every strategy.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from federated_router.kit.errors import FieldInvalid
from federated_router.routing.filters import (
    DEFAULT_FILTERS,
    OPTIONAL_FILTERS,
    QUEUE_BELOW_LIMIT,
)
from federated_router.routing.moving_scorers import (
    CARBON,
    COST,
    OBSERVED_SPEED,
    PREFIX,
)
from federated_router.routing.pickers import (
    IN_TURN,
    PICKERS,
    POWER_OF_TWO,
    RANDOM,
    WEIGHTED_IN_TURN,
)
from federated_router.routing.profile import Profile
from federated_router.routing.scorers import (
    FREE_SLOTS,
    PRIOR_SPEED,
    PRIOR_SUCCESS,
    WEIGHT,
)
from federated_router.routing.settings import StrategySettings
from federated_router.routing.slate import AnyScorer

Part = TypeVar("Part")
SCORERS: Final[Mapping[str, AnyScorer]] = {
    one.name: one
    for one in (
        FREE_SLOTS,
        PRIOR_SPEED,
        PRIOR_SUCCESS,
        WEIGHT,
        OBSERVED_SPEED,
        PREFIX,
        COST,
        CARBON,
    )
}
_LEAST: Final = ((FREE_SLOTS, 1.0),)
STRATEGIES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile(
            "round_robin", _LEAST, IN_TURN, description="Each node in turn, by name."
        ),
        Profile(
            "weighted_round_robin",
            ((WEIGHT, 1.0),),
            WEIGHTED_IN_TURN,
            description="Each node in turn, in proportion to its weight.",
        ),
        Profile(
            "least_connections",
            _LEAST,
            description="The node with the fewest requests for its slots.",
        ),
        Profile("random", _LEAST, RANDOM, description="Any node."),
        Profile(
            "power_of_two",
            _LEAST,
            POWER_OF_TWO,
            description="Of two nodes that are drawn, the less busy.",
        ),
        Profile(
            "fastest_response",
            ((OBSERVED_SPEED, 2.0), (FREE_SLOTS, 1.0)),
            description="The node that answered soonest here lately, while it is free.",
        ),
        Profile(
            "prefix_affinity",
            ((PREFIX, 1.0),),
            description="The node with the least queued and uncached prompt tokens.",
        ),
        Profile(
            "federated_priors",
            ((FREE_SLOTS, 1.0), (PRIOR_SUCCESS, 2.0), (PRIOR_SPEED, 2.0)),
            description="What the federation saw succeed and be fast, while free.",
        ),
        Profile(
            "annealing",
            ((PREFIX, 1.0),),
            description="Requests that come together, placed together by simulated "
            "annealing of their prefill.",
            batched=True,
        ),
    )
}


def strategies_of(composed: Sequence[StrategySettings]) -> Mapping[str, Profile]:
    """Return every strategy by name; raise FieldInvalid for a part that is not."""
    known = dict(STRATEGIES)
    for number, one in enumerate(composed):
        field = f"routing.strategies[{number}]"
        if one.name in known:
            raise FieldInvalid(
                f"A strategy '{one.name}' is there already; take another name.",
                field=f"{field}.name",
            )
        known[one.name] = _composed(one, field)
    return known


def named(strategies: Mapping[str, Profile], name: str) -> Profile:
    """Return a strategy; raise FieldInvalid."""
    return _part(strategies, name, "strategy", field="strategy")


def _composed(told: StrategySettings, field: str) -> Profile:
    scorers = tuple(
        (
            _part(SCORERS, one.name, "scorer", field=f"{field}.scorers[{number}].name"),
            one.weight,
        )
        for number, one in enumerate(told.scorers)
    )
    optional = tuple(
        _part(OPTIONAL_FILTERS, name, "filter", field=f"{field}.filters[{number}]")
        for number, name in enumerate(told.filters)
        if name != QUEUE_BELOW_LIMIT
    )
    return Profile(
        told.name,
        scorers,
        _part(PICKERS, told.picker, "picker", field=f"{field}.picker"),
        (*DEFAULT_FILTERS, *optional),
        description=told.description,
        queue_bounded=QUEUE_BELOW_LIMIT in told.filters,
    )


def _part(parts: Mapping[str, Part], name: str, kind: str, *, field: str) -> Part:
    if name not in parts:
        raise FieldInvalid(
            f"No {kind} '{name}'; there are: {', '.join(sorted(parts))}.", field=field
        )
    return parts[name]
