"""The world of regions is as it is said to be, and the router places within limits."""

from pathlib import Path

import pytest

from federated_router.choice.choosing import Wishes
from federated_router.kit.errors import WishesUnmet
from federated_router.routing.candidate import RouteQuery, Shape
from tests.evaluate.mmlu import STRONG
from tests.evaluate.regions import (
    BLIND,
    EVERYWHERE,
    FEED,
    GREEN,
    HOME,
    PLACES,
    SLOTS,
    UNION,
    Regions,
    round_trip_ms,
)

INTENSITIES = dict(zip(PLACES, (276, 16, 106, 39, 323, 413, 79, 453), strict=True))
CLEANEST = "europe-west9"
SHAPE = Shape(prompt_tokens=100)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with a feed in the form of Google's table."""
    rows = [f"{region},Place,0.5,{told}" for region, told in INTENSITIES.items()]
    head = (
        "Google Cloud Region,Location,Google CFE,Grid carbon intensity (gCO2eq / kWh)"
    )
    (tmp_path / FEED).parent.mkdir()
    (tmp_path / FEED).write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return tmp_path


def placed(
    data: Path,
    *,
    strategy: str = GREEN,
    load: float = 0.1,
    regions: frozenset[str] = EVERYWHERE,
    shape: Shape = SHAPE,
) -> dict[str, int]:
    """Return how many of 64 requests for the strong model each region got."""
    world = Regions(data, strategy=strategy, load=load)
    taken, _ = world.serve(RouteQuery(STRONG, regions=regions), [shape] * 64)
    return taken.requests


def test_light_load_goes_to_the_cleanest_region(data: Path) -> None:
    """Six requests at a time fit into one region's eight slots."""
    assert placed(data) == {CLEANEST: 64}


def test_in_turn_every_region_gets_as_much(data: Path) -> None:
    """What is compared with knows nothing of carbon."""
    assert placed(data, strategy=BLIND) == dict.fromkeys(PLACES, SLOTS)


def test_more_than_fits_goes_to_the_next_cleanest(data: Path) -> None:
    """At a quarter of all slots the two cleanest regions are full."""
    assert set(placed(data, load=0.25)) == {CLEANEST, "europe-north1"}


def test_no_request_leaves_the_regions_it_may_go_to(data: Path) -> None:
    """Residency holds before carbon; where one region is left nothing is saved."""
    assert set(placed(data, load=0.3, regions=UNION)) <= UNION
    assert placed(data, regions=frozenset({HOME})) == {HOME: 64}


def test_no_request_goes_farther_than_its_latency_allows(data: Path) -> None:
    """30 ms more than the nearest is Europe; less than the nearest is nobody."""
    world = Regions(data, strategy=GREEN, load=0.1)
    least_ms = world.nearest_ms(SHAPE)

    near = Shape(prompt_tokens=100, wishes=Wishes(latency_ms_max=least_ms + 30))
    never = Shape(prompt_tokens=100, wishes=Wishes(latency_ms_max=least_ms - 30))

    got = placed(data, load=0.45, shape=near)
    assert set(got) == {CLEANEST, "europe-north1", "europe-west2", HOME}
    with pytest.raises(WishesUnmet):
        placed(data, shape=never)


def test_round_trips_are_those_of_light_in_glass() -> None:
    """Frankfurt and Tokyo are 9,330 km apart: 93 ms there and back, times 1.5."""
    assert round_trip_ms(PLACES[HOME], PLACES[HOME]) == pytest.approx(0, abs=1e-3)
    away_ms = round_trip_ms(PLACES[HOME], PLACES["asia-northeast1"])
    assert away_ms == pytest.approx(140, abs=2)
