"""A chooser that prefers models in order, and a router with nodes of two models."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from federated_router.choice.choosing import (
    Expectation,
    ModelChoice,
    ModelOption,
    Wishes,
)
from federated_router.priors.prompt import Prompt
from federated_router.registry.membership import Offer, Tariff
from tests.unit.routing.placing import Live

STRONG, WEAK = "models/strong", "models/weak"


@dataclass
class Preferring:
    """Prefers models in order; a cost above the wish rules one out."""

    order: tuple[str, ...] = (STRONG, WEAK)
    asked: list[tuple[Prompt, tuple[ModelOption, ...], bool]] = field(
        default_factory=list
    )

    def choose(
        self,
        prompt: Prompt,
        options: Sequence[ModelOption],
        wishes: Wishes,
        *,
        explore: bool,
        tenant: str = "",
    ) -> ModelChoice:
        """Return the first in order that is not too dear."""
        del tenant
        self.asked.append((prompt, tuple(options), explore))
        limit = wishes.cost_max
        by_name = {one.model: one for one in options}
        expectations = tuple(
            Expectation(
                option=by_name[model],
                quality=0.5,
                deviation=0.1,
                utility=0.5,
                rejected_by="cost_max"
                if limit is not None and (by_name[model].cost or 0.0) > limit
                else "",
            )
            for model in self.order
            if model in by_name
        )
        chosen = [one.option.model for one in expectations if not one.rejected_by]
        return ModelChoice(expectations, chosen[0] if chosen else None)


def offer(model: str, cost: float, joules: float = 3.6e6) -> Offer:
    """Return an offer whose thousand tokens cost and take so much."""
    tariff = Tariff(cost, cost, joules, joules)
    return Offer(model, 4096, private=False, slots=2, tariff=tariff)


def world(chooser: Preferring) -> Live:
    """Return nodes: a serves both models, b the strong one, c the weak one."""
    live = Live(chooser=chooser)
    offers = {
        "a": [offer(STRONG, 10.0), offer(WEAK, 1.0)],
        "b": [offer(STRONG, 5.0)],
        "c": [offer(WEAK, 2.0)],
    }
    for name, some in offers.items():
        live.registry.register(
            name=f"nodes/{name}", address="a:1", region="north", offers=some
        )
    return live
