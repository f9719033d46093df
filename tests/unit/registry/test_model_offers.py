"""What a node may say of a model's tariff and of its own weight, and what is shown."""

import math
from typing import cast

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as inference
from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.registry.membership import NO_TARIFF, Tariff
from federated_router.registry.model_offers import (
    RATE_MAX,
    WEIGHT_MAX,
    offer_messages,
    offers_of,
    weight_of,
)
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.registry.service import RegistryServicer

NOBODY = cast("grpc.aio.ServicerContext", None)
RATES = ("prompt_cost", "completion_cost", "prompt_joules", "completion_joules")
rates = st.floats(0, RATE_MAX)


def node_with(tariff: pb.Tariff | None = None, *, weight: float = 0.0) -> pb.Node:
    """Return a node that offers one model."""
    offer = pb.ModelOffer(
        model="models/m",
        context_tokens_max=128,
        private_support=inference.PRIVATE_SUPPORT_OFFERED,
        slots=4,
        tier="standard",
        tariff=tariff,
    )
    return pb.Node(
        name="nodes/n1", address="a:1", region="north", models=[offer], weight=weight
    )


def tariff_of(node: pb.Node) -> Tariff:
    """Return the tariff of the node's one model."""
    (offer,) = offers_of(node)
    return offer.tariff


def test_a_node_that_says_nothing_has_no_tariff_and_weighs_one() -> None:
    """Nodes of before register as they did."""
    assert tariff_of(node_with()) == NO_TARIFF
    assert weight_of(node_with()) == 1.0
    assert not offer_messages(offers_of(node_with()))[0].HasField("tariff")


@given(rates, rates, rates, rates, st.booleans())
def test_a_tariff_is_shown_as_its_node_said_it(
    prompt_cost: float,
    completion_cost: float,
    prompt_joules: float,
    completion_joules: float,
    measured: bool,  # noqa: FBT001 - hypothesis hands it over by name.
) -> None:
    """Contract to membership and back; joules that nobody told have no basis."""
    energy_known = bool(prompt_joules or completion_joules)
    basis = inference.ENERGY_BASIS_UNSPECIFIED
    if energy_known:
        basis = inference.ENERGY_BASIS_MODELLED
    if measured:
        basis = inference.ENERGY_BASIS_MEASURED
    said = node_with(
        pb.Tariff(
            prompt_cost=prompt_cost,
            completion_cost=completion_cost,
            prompt_joules=prompt_joules,
            completion_joules=completion_joules,
            energy_basis=basis,
        )
    )

    (offer,) = offers_of(said)

    assert offer.tariff.measured == measured
    assert offer_messages([offer])[0].tariff == said.models[0].tariff


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, RATE_MAX * 1.01])
def test_a_senseless_rate_names_its_field(rate: str, value: float) -> None:
    """A negative cost would draw every request to the node."""
    tariff = pb.Tariff()
    setattr(tariff, rate, value)
    with pytest.raises(FieldInvalid) as raised:
        offers_of(node_with(tariff))
    assert raised.value.metadata["field"] == f"node.models[0].tariff.{rate}"


def test_an_unknown_basis_names_its_field() -> None:
    """An open enumeration lets any number through the wire."""
    bad = pb.Tariff(energy_basis=cast("inference.EnergyBasis", 9))
    with pytest.raises(FieldInvalid) as raised:
        offers_of(node_with(bad))
    assert raised.value.metadata["field"] == "node.models[0].tariff.energy_basis"


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, WEIGHT_MAX + 1])
def test_a_senseless_weight_names_its_field(weight: float) -> None:
    """No node may claim all the work."""
    with pytest.raises(FieldInvalid) as raised:
        weight_of(node_with(weight=weight))
    assert raised.value.metadata["field"] == "node.weight"


async def test_a_node_is_shown_with_its_weight_and_what_it_is_trusted_with() -> None:
    """The weight is the node's word; the trust is the router's alone."""
    clock = ManualClock(start_s=1000.0)
    registry = Registry(RegistrySettings(), clock)
    servicer = RegistryServicer(
        registry,
        clock,
        in_flight=lambda _: 0,
        trusted_with={"nodes/n1": inference.SENSITIVITY_SENSITIVE}.__getitem__,
    )
    set_current_identity(Identity(Role.NODE, "n1", "a.example"))
    claimed = node_with(weight=2.5)
    claimed.trusted_with = inference.SENSITIVITY_PUBLIC

    await servicer.RegisterNode(pb.RegisterNodeRequest(node=claimed), NOBODY)
    shown = await servicer.GetNode(pb.GetNodeRequest(name="nodes/n1"), NOBODY)

    assert shown.node.weight == registry.present().member("nodes/n1").weight == 2.5
    assert shown.node.trusted_with == inference.SENSITIVITY_SENSITIVE
