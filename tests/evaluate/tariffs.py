"""What answers of two models take, as it is assumed: energy, prices, tokens.

Energy in proportion to active parameters. Epoch AI ("How much energy does ChatGPT
use?", 2025) reckons 0.3 Wh for 500 written tokens of a model of 100 billion active
parameters, and 2.5 Wh with a prompt of 10,000 tokens: 2.16 J a written token and 0.79 J
a read one. Mixtral 8x7B has 12.9 billion (Jiang et al. 2024). GPT-4's are not
published; 280 billion is an estimate that is often repeated and that nobody has
confirmed. Only the ratio of the two, 21.7, moves the shares that are saved.

Prices are those by which RouteLLM told its savings (Ong et al. 2024). A question is
read at the router's own estimate, a token for four bytes; an answer has 211 tokens, the
mean of Azure's trace of conversations.
"""

from dataclasses import dataclass
from typing import Final

from federated_router.choice.choosing import ModelOption
from federated_router.footprint.reckoning import Footprint, footprint_of
from federated_router.registry.membership import Tariff
from federated_router.routing.moving_scorers import BYTES_PER_TOKEN
from tests.evaluate.mmlu import STRONG, WEAK

WRITTEN_TOKENS: Final = 211
WRITTEN_J: Final = 21.6
READ_J: Final = 7.9
"""Joules of a thousand tokens for each billion of active parameters."""

ACTIVE_BILLIONS: Final = {WEAK: 12.9, STRONG: 280.0}
PRICES: Final = {WEAK: 0.24, STRONG: 24.7}
"""Dollars of a million tokens, read or written."""


def tariff_of(model: str) -> Tariff:
    """Return what a thousand tokens of a model take: joules, and dollars."""
    active, price = ACTIVE_BILLIONS[model], PRICES[model] / 1000
    return Tariff(
        prompt_cost=price,
        completion_cost=price,
        prompt_joules=READ_J * active,
        completion_joules=WRITTEN_J * active,
    )


TARIFFS: Final = {model: tariff_of(model) for model in (WEAK, STRONG)}


def read_tokens(text: str) -> int:
    """Return a question's tokens, as the router estimates them."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Answered:
    """What either model's answer to one question takes, where it is answered."""

    weak: Footprint
    strong: Footprint

    @property
    def options(self) -> tuple[ModelOption, ModelOption]:
        """Return both as a chooser is offered them."""
        return _option(WEAK, self.weak), _option(STRONG, self.strong)

    def of(self, model: str) -> Footprint:
        """Return what a model's answer takes."""
        return self.weak if model == WEAK else self.strong


def answered(text: str, intensity: float) -> Answered:
    """Return what answers to a question take at so many grams of CO2e a kWh."""
    return Answered(
        *(
            footprint_of(
                TARIFFS[model],
                intensity,
                prompt_tokens=read_tokens(text),
                completion_tokens=WRITTEN_TOKENS,
            )
            for model in (WEAK, STRONG)
        )
    )


def _option(model: str, taken: Footprint) -> ModelOption:
    return ModelOption(model, cost=taken.cost, co2e_mg=taken.co2e_mg)
