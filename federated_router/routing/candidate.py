"""What a decision is about: the pairs of node and model, and the request's features.

Only public features of a request exist here: private records never influence a route.
A query is what decisions share: every request that asks the same may be judged by the
same slate. A shape is of one request alone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from federated_router.choice.choosing import NO_WISHES, Wishes
from federated_router.priors.contents import STANDARD_TIER
from federated_router.priors.prompt import Prompt
from federated_router.registry.membership import (
    AUTO,
    NO_TARIFF,
    Member,
    NodeState,
    Offer,
    Tariff,
)
from federated_router.sensitivity.levels import Sensitivity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that serves a model, and this router's own count of its load.

    `trusted_with` is the most personal request that it may get; `carbon_intensity` is
    of its region, in grams of CO2 equivalent per kWh, None where it is not known;
    `resident_up_to` is the most personal level that may go to its region, 0 for none;
    `blocked` says that its breaker is open.
    """

    node: str
    address: str
    model: str
    region: str
    state: NodeState
    private: bool
    context_tokens_max: int
    slots: int
    in_flight: int
    tier: str = STANDARD_TIER
    weight: float = 1.0
    tariff: Tariff = NO_TARIFF
    trusted_with: Sensitivity = Sensitivity.INTERNAL
    resident_up_to: int = Sensitivity.SENSITIVE
    carbon_intensity: float | None = None
    blocked: bool = False

    @property
    def site(self) -> "Site":
        """Return the pair of node and model, by which a router remembers."""
        return self.node, self.model


Site = tuple[str, str]
"""A node and a model that it serves."""


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """The public features that a decision may rest on, and that many requests share.

    `excluded` are nodes that already failed this request; `models` and `regions` are
    those that the caller admits, empty for all. `context_tokens` must fit: it is
    rounded up to a bound that some offer has, so that few queries differ by it.
    """

    model: str
    private: bool = False
    excluded: frozenset[str] = field(default_factory=frozenset)
    models: frozenset[str] = field(default_factory=frozenset)
    regions: frozenset[str] = field(default_factory=frozenset)
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    context_tokens: int = 0


EVERY_MODEL: Final = ""
NO_PROMPT: Final = Prompt(text="", characters=0, turns=0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is of one request alone: its prompt's public text, its size, its wishes.

    `prompt_tokens` is an estimate, `tokens_max` what may be generated. `prefix` are
    digests of the prompt's blocks, each of all the text up to the block's end, oldest
    first: two requests share as many blocks as their prefixes do. `tenant` is the
    caller's id.
    """

    prompt: Prompt = field(default=NO_PROMPT, repr=False)
    prompt_tokens: int = 0
    tokens_max: int = 0
    prefix: tuple[int, ...] = field(default=(), repr=False)
    tenant: str = ""
    wishes: Wishes = NO_WISHES


PLAIN: Final = Shape()


def everywhere(_: str) -> int:
    """Let requests of every level go to every region."""
    return Sensitivity.SENSITIVE


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a router knows of nodes that they do not say themselves.

    `trusted_with` by node, else `trusted_by_default`; `carbon_intensity` by region;
    `resident_up_to` of a region is the most personal level that may go there.
    """

    trusted_with: Mapping[str, Sensitivity] = field(default_factory=dict)
    trusted_by_default: Sensitivity = Sensitivity.INTERNAL
    resident_up_to: Callable[[str], int] = everywhere
    carbon_intensity: Mapping[str, float] = field(default_factory=dict)


NO_FACTS: Final = NodeFacts()


def candidates_at(
    member: Member,
    query: RouteQuery,
    in_flight: Mapping[str, int],
    facts: NodeFacts = NO_FACTS,
    blocked: Collection[Site] = (),
) -> Iterator[Candidate]:
    """Yield one node's models that the query's model admits, by name.

    `blocked` holds the pairs that are; a pair of a node and EVERY_MODEL blocks all.
    """
    for offer in sorted(member.offers, key=lambda offer: offer.model):
        if asked_for(query, offer.model):
            yield _candidate(member, offer, in_flight, facts, blocked)


def asked_for(query: RouteQuery, model: str) -> bool:
    """Return whether a query admits a model."""
    if query.model != AUTO:
        return query.model == model
    return not query.models or model in query.models


def _candidate(
    member: Member,
    offer: Offer,
    in_flight: Mapping[str, int],
    facts: NodeFacts,
    blocked: Collection[Site],
) -> Candidate:
    sites = ((member.name, offer.model), (member.name, EVERY_MODEL))
    return Candidate(
        node=member.name,
        address=member.address,
        model=offer.model,
        region=member.region,
        state=member.state,
        private=offer.private,
        context_tokens_max=offer.context_tokens_max,
        slots=offer.slots,
        in_flight=in_flight.get(member.name, 0),
        tier=offer.tier,
        weight=member.weight,
        tariff=offer.tariff,
        resident_up_to=facts.resident_up_to(member.region),
        trusted_with=facts.trusted_with.get(member.name, facts.trusted_by_default),
        carbon_intensity=facts.carbon_intensity.get(member.region),
        blocked=any(site in blocked for site in sites),
    )
