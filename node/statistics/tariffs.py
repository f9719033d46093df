"""What a thousand tokens take at this node, as its offers tell the router.

Decides which figure of energy is told: what was measured lately, else what the operator
says of a token, else what was modelled lately from watts. Refuses to know meters, and
when the router is told.

Only public requests count: what a private one took must not show in what everybody is
told. Measured energy is shared by tokens, those of prompts and of answers alike, so one
figure stands for both; a token that was held from before takes none.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from federated_router.api.v1 import inference_pb2, registry_pb2
from federated_router.priors.contents import PRIVATE_TIER
from node.statistics.endings import EndedRequest
from node.statistics.energy_sources import EnergySource

TOKENS: Final = 1000
REQUESTS_REMEMBERED: Final = 200
"""A request weighs half after about 0.7 times as many further ones."""
TOKENS_MIN: Final = 200
"""Fewer say too little of a token."""
_KEPT: Final = 1.0 - 1.0 / REQUESTS_REMEMBERED


@dataclass(frozen=True, slots=True)
class ModelRates:
    """What the operator says of one token of a model: cost in its currency, joules."""

    prompt_token_price: float = 0.0
    token_price: float = 0.0
    prompt_token_j: float = 0.0
    token_j: float = 0.0


@dataclass(slots=True)
class _Mean:
    """Joules for each token, of the last requests."""

    joules: float = 0.0
    tokens: float = 0.0

    def add(self, joules: float, tokens: int) -> None:
        self.joules = self.joules * _KEPT + joules
        self.tokens = self.tokens * _KEPT + tokens

    @property
    def token_j(self) -> float:
        return self.joules / self.tokens if self.tokens >= TOKENS_MIN else 0.0


@dataclass(slots=True)
class _Seen:
    """What one model's requests took, by where the figures come from."""

    measured: _Mean = field(default_factory=_Mean)
    modelled: _Mean = field(default_factory=_Mean)


class Tariffs:
    """Tariffs by `models/NAME`; safe to call from any thread."""

    def __init__(self, rates: Mapping[str, ModelRates]) -> None:
        self._rates = dict(rates)
        self._lock = threading.Lock()
        self._seen = {model: _Seen() for model in rates}

    def add(self, ended: EndedRequest) -> None:
        """Learn from a request that ended; private ones teach nothing."""
        tokens = ended.counts.prompt - ended.counts.cached + ended.counts.output
        seen = self._seen.get(ended.cell.model)
        if seen is None or ended.cell.tier == PRIVATE_TIER or tokens < 1:
            return
        joules = sum(ended.energy_j.values())
        modelled = EnergySource.MODELLED in ended.energy_j
        with self._lock:
            (seen.modelled if modelled else seen.measured).add(joules, tokens)

    def of(self, model: str) -> registry_pb2.Tariff:
        """Return what is told of a model now; nothing of one that is not known."""
        rates, seen = self._rates.get(model), self._seen.get(model)
        tariff = registry_pb2.Tariff()
        if rates is None or seen is None:
            return tariff
        tariff.prompt_cost = rates.prompt_token_price * TOKENS
        tariff.completion_cost = rates.token_price * TOKENS
        with self._lock:
            measured_j, modelled_j = seen.measured.token_j, seen.modelled.token_j
        if measured_j:
            _tell(tariff, measured_j, measured_j)
            tariff.energy_basis = inference_pb2.ENERGY_BASIS_MEASURED
        elif rates.prompt_token_j or rates.token_j:
            _tell(tariff, rates.prompt_token_j, rates.token_j)
        elif modelled_j:
            _tell(tariff, modelled_j, modelled_j)
        return tariff


def _tell(tariff: registry_pb2.Tariff, prompt_j: float, completion_j: float) -> None:
    tariff.prompt_joules = prompt_j * TOKENS
    tariff.completion_joules = completion_j * TOKENS
    tariff.energy_basis = inference_pb2.ENERGY_BASIS_MODELLED


def moved(
    before: registry_pb2.Tariff, now: registry_pb2.Tariff, *, share_min: float
) -> bool:
    """Return whether a tariff changed its basis, or a figure by `share_min` of itself.

    Small moves are not worth registering again.
    """
    if before.energy_basis != now.energy_basis:
        return True
    pairs = (
        (before.prompt_cost, now.prompt_cost),
        (before.completion_cost, now.completion_cost),
        (before.prompt_joules, now.prompt_joules),
        (before.completion_joules, now.completion_joules),
    )
    return any(abs(old - new) > share_min * max(old, new) for old, new in pairs)
