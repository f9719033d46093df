"""Priors travel as they are, whatever their blocks, and fit into a message."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.priors.messages import catalogue_message, priors_message
from federated_router.api.v1 import priors_pb2
from federated_router.federation.priors_wire import (
    catalogue_from_message,
    priors_from_message,
)
from federated_router.kit.config import ServerSettings
from federated_router.kit.errors import FieldInvalid
from federated_router.priors import limits
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors
from tests.unit.priors.worlds import LAYOUT, PLAIN, priors_of


def published(catalogue: Catalogue, sums: list[int]) -> Priors:
    """Return priors that hold these slots."""
    return replace(
        priors_of(Contents(), noise=2.5, catalogue=catalogue),
        contents=catalogue.decode(sums),
        noise_by_block={block: 2.5 + at for at, block in enumerate(catalogue.blocks)},
        create_time_s=1_700_000_000.5,
    )


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_priors_arrive_as_they_were_published(data: st.DataObject) -> None:
    """Routers read the coordinator's very numbers: of either sign, of every block."""
    chosen = data.draw(st.sampled_from((LAYOUT, PLAIN)))
    slots = chosen.statistic_slots
    sums = data.draw(
        st.lists(st.integers(-(1 << 28), 1 << 28), min_size=slots, max_size=slots)
    )
    priors = published(chosen, sums)

    received = priors_from_message(
        priors_pb2.Priors.FromString(priors_message(priors).SerializeToString())
    )

    assert received == priors


@pytest.mark.parametrize("catalogue", [LAYOUT, PLAIN])
def test_catalogue_keeps_its_digest_on_the_way(catalogue: Catalogue) -> None:
    """Members and coordinator bind contributions to this digest."""
    found = catalogue_from_message(catalogue_message(catalogue))

    assert found.sha256 == catalogue.sha256


def test_message_of_before_blocks_means_the_performance_block() -> None:
    """What an older writer left out has one meaning."""
    message = priors_pb2.Catalogue(
        version=1,
        models=["models/a"],
        regions=["eu"],
        latency_bounds_ms=[1.0, 2.0],
        slot_max=10,
    )

    found = catalogue_from_message(message)

    assert found == Catalogue(
        version=1,
        models=("models/a",),
        regions=("eu",),
        latency_bounds_ms=(1.0, 2.0),
        slot_max=10,
    )


def test_readers_find_the_noise_of_each_quantity_in_the_message() -> None:
    """Whoever reads the message needs no table of factors."""
    message = priors_message(priors_of(Contents(), noise=2.0))

    stated = {
        entry.quantity: entry.standard_deviation
        for block in message.noise
        for entry in block.quantities
    }
    assert [block.block for block in message.noise] == [*Block]
    assert stated["energy"] == 128.0
    assert stated["holdout_requests"] == 4.0
    assert set(stated) == set(LAYOUT.quantities)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"noise": [{"block": "weather"}]}, "blocks"),
        ({"noise_standard_deviation": float("nan")}, "noise"),
        (
            {"noise": [{"block": "carbon", "unit_standard_deviation": -1.0}]},
            "noise",
        ),
        ({"bandits": [{"model": "models/a", "gram": [1]}]}, "bandits"),
        ({"performance": [{"model": "models/a", "region": "eu"}]}, "performance"),
    ],
)
def test_message_that_cannot_be_meant_is_refused_by_its_field(
    change: dict[str, object], field: str
) -> None:
    """A router acts on priors; a hostile coordinator writes them."""
    message = priors_message(priors_of(Contents()))
    message.MergeFrom(priors_pb2.Priors(**change))  # type: ignore[arg-type]

    with pytest.raises(FieldInvalid) as refused:
        priors_from_message(message)

    assert refused.value.metadata["field"] == field


@pytest.mark.parametrize("name", ["patterns", "carbon", "bandits", "holdout"])
def test_block_that_the_catalogue_does_not_sum_is_refused(name: str) -> None:
    """Its noise is not stated, so nothing could be read of it."""
    whole = priors_message(priors_of(Contents()))
    plain = priors_message(priors_of(Contents(), catalogue=PLAIN))
    told = getattr(whole, name)
    if name == "holdout":
        plain.holdout.CopyFrom(told)
    else:
        getattr(plain, name).extend(told)

    with pytest.raises(FieldInvalid) as refused:
        priors_from_message(plain)

    assert refused.value.metadata["field"] == name


def test_largest_catalogue_fits_into_one_message() -> None:
    """Every slot at the bound of a sum, negative where that takes most bytes."""
    cells = limits.VECTOR_SLOTS_MAX // 32
    largest = Catalogue(
        version=1,
        models=tuple(f"models/model-{number:04d}" for number in range(cells // 4)),
        regions=("north", "south", "east", "west"),
        latency_bounds_ms=tuple(float(ms) for ms in range(1, 27)),
        slot_max=1,
        blocks=(
            Block.PERFORMANCE,
            Block.TOKENS,
            Block.COST,
            Block.ENERGY,
        ),
    )
    noisy = [-(1 << 28) if slot % 2 else 100 for slot in range(largest.statistic_slots)]

    size = priors_message(published(largest, noisy)).ByteSize()

    assert largest.statistic_slots > 0.9 * limits.VECTOR_SLOTS_MAX
    assert size < ServerSettings().message_bytes_max
