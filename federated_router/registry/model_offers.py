"""Offers of models between contract and membership: what a node may say of its own.

Decides which offers, tariffs and weights make sense. Refuses to know who may register,
and what a router makes of a tariff.
"""

import math
from collections.abc import Collection, Sequence
from typing import Final

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import check_id, resource_id
from federated_router.priors.contents import STANDARD_TIER
from federated_router.registry.membership import AUTO, NO_TARIFF, Offer, Tariff

MODELS_MAX: Final = 64
WEIGHT_MAX: Final = 1000.0
RATE_MAX: Final = 1e9
"""The most that a thousand tokens may take: joules, or the unit of cost."""
_RATES: Final = ("prompt_cost", "completion_cost", "prompt_joules", "completion_joules")


def offers_of(node: pb.Node) -> list[Offer]:
    """Return the models that a node offers; raise FieldInvalid, naming the field."""
    if len(node.models) > MODELS_MAX:
        raise FieldInvalid(f"At most {MODELS_MAX} models.", field="node.models")
    taken = {AUTO}
    for index, offer in enumerate(node.models):
        _check(offer, f"node.models[{index}]", taken)
        taken.add(offer.model)
    return [_offer(offer) for offer in node.models]


def weight_of(node: pb.Node) -> float:
    """Return a node's share of the work, 1 where it says none; raise FieldInvalid."""
    if not (math.isfinite(node.weight) and 0 <= node.weight <= WEIGHT_MAX):
        raise FieldInvalid(f"Use 0 to {WEIGHT_MAX:.0f}.", field="node.weight")
    return node.weight or 1.0


def _check(offer: pb.ModelOffer, path: str, taken: Collection[str]) -> None:
    resource_id(offer.model, "models", field=f"{path}.model")
    if offer.model in taken:
        raise FieldInvalid(
            f"Offer each model once, and none under the name '{AUTO}'.",
            field=f"{path}.model",
        )
    for name in ("context_tokens_max", "slots"):
        if getattr(offer, name) < 1:
            raise FieldInvalid("Use 1 or more.", field=f"{path}.{name}")
    if offer.tier:
        check_id(offer.tier, field=f"{path}.tier")
    _check_tariff(offer.tariff, f"{path}.tariff")


def _check_tariff(tariff: pb.Tariff, path: str) -> None:
    for name in _RATES:
        rate = getattr(tariff, name)
        if not (math.isfinite(rate) and 0 <= rate <= RATE_MAX):
            raise FieldInvalid(f"Use 0 to {RATE_MAX:.0f}.", field=f"{path}.{name}")
    if tariff.energy_basis not in inference.EnergyBasis.values():
        raise FieldInvalid("Use MODELLED or MEASURED.", field=f"{path}.energy_basis")


def _offer(offer: pb.ModelOffer) -> Offer:
    return Offer(
        model=offer.model,
        context_tokens_max=offer.context_tokens_max,
        private=offer.private_support == inference.PRIVATE_SUPPORT_OFFERED,
        slots=offer.slots,
        tier=offer.tier or STANDARD_TIER,
        tariff=_tariff(offer.tariff),
    )


def _tariff(tariff: pb.Tariff) -> Tariff:
    return Tariff(
        prompt_cost=tariff.prompt_cost,
        completion_cost=tariff.completion_cost,
        prompt_joules=tariff.prompt_joules,
        completion_joules=tariff.completion_joules,
        measured=tariff.energy_basis == inference.ENERGY_BASIS_MEASURED,
    )


def offer_messages(offers: Sequence[Offer]) -> list[pb.ModelOffer]:
    """Return offers as their node made them."""
    return [_message(offer) for offer in offers]


def _message(offer: Offer) -> pb.ModelOffer:
    message = pb.ModelOffer(
        model=offer.model,
        context_tokens_max=offer.context_tokens_max,
        private_support=inference.PRIVATE_SUPPORT_OFFERED
        if offer.private
        else inference.PRIVATE_SUPPORT_REFUSED,
        slots=offer.slots,
        tier=offer.tier,
    )
    if offer.tariff != NO_TARIFF:
        message.tariff.CopyFrom(_tariff_message(offer.tariff))
    return message


def _tariff_message(tariff: Tariff) -> pb.Tariff:
    message = pb.Tariff(
        prompt_cost=tariff.prompt_cost,
        completion_cost=tariff.completion_cost,
        prompt_joules=tariff.prompt_joules,
        completion_joules=tariff.completion_joules,
    )
    if tariff.measured:
        message.energy_basis = inference.ENERGY_BASIS_MEASURED
    elif tariff.prompt_joules or tariff.completion_joules:
        message.energy_basis = inference.ENERGY_BASIS_MODELLED
    return message
