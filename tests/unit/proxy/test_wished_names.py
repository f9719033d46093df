"""How many models and regions a request may name, and what a region is called."""

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FieldInvalid
from federated_router.proxy.checks import check_generation
from federated_router.proxy.settings import ProxySettings
from tests.unit.proxy.test_checks import public

SETTINGS = ProxySettings(wishes_names_max=2)


def wishing(wishes: pb.RouteWishes) -> pb.Generation:
    """Return a request with wishes."""
    made = public()
    made.wishes.CopyFrom(wishes)
    return made


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        (pb.RouteWishes(models=["models/m"] * 3), "models"),
        (pb.RouteWishes(regions=["eu"] * 3), "regions"),
        (pb.RouteWishes(regions=["eu", "The Moon"]), "regions[1]"),
    ],
)
def test_names_out_of_bounds_are_named(wishes: pb.RouteWishes, field: str) -> None:
    """Each decision looks at every name, so their number is bounded."""
    with pytest.raises(FieldInvalid) as raised:
        check_generation(wishing(wishes), SETTINGS)

    assert raised.value.metadata["field"] == f"generation.wishes.{field}"


def test_as_many_names_as_allowed_pass() -> None:
    """The limit itself is within the limit."""
    wishes = pb.RouteWishes(models=["models/a"] * 2, regions=["eu", "us"])

    check_generation(wishing(wishes), SETTINGS)
