"""Who is believed about a region's carbon, and what a file that changes does."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from federated_router.footprint.intensities import Intensities
from federated_router.footprint.settings import CarbonSettings
from federated_router.kit.clock import ManualClock

TABLE = {"eu-west": 300.0, "us-east": 500.0}


class Feed:
    """A file of intensities, and those who read it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "feed.csv"
        self.clock = ManualClock()
        self.settings = CarbonSettings(intensities=TABLE, feed=self.path)
        self.intensities = Intensities(self.settings, clock=self.clock)

    def write(self, rows: str, *, age_s: float = 0.0) -> None:
        """Replace the file at once, as one written `age_s` ago."""
        beside = self.path.with_suffix(".new")
        beside.write_text("region,intensity\n" + rows)
        written_s = self.clock.now_s() - age_s
        os.utime(beside, (written_s, written_s))
        beside.replace(self.path)

    async def told(self) -> Mapping[str, float]:
        """Look at the file and return what is known."""
        await self.intensities.look()
        return dict(self.intensities.current)


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    """Return a feed that was not written yet."""
    return Feed(tmp_path)


async def test_the_file_goes_before_the_table_and_the_table_before_the_priors(
    feed: Feed,
) -> None:
    """Whoever is nearer to the region's grid is believed."""
    feed.write("eu-west,120\n")
    feed.intensities.believe({"eu-west": 1.0, "us-east": 2.0, "asia": 600.0})

    assert await feed.told() == {"eu-west": 120.0, "us-east": 500.0, "asia": 600.0}
    assert feed.intensities.of("nowhere") is None


async def test_a_file_that_makes_no_sense_leaves_the_last_good_values(
    feed: Feed,
) -> None:
    """And it is read again once somebody wrote it anew."""
    feed.write("eu-west,120\n")
    assert (await feed.told())["eu-west"] == 120.0

    feed.write("eu-west,-5\n")
    assert (await feed.told())["eu-west"] == 120.0

    feed.path.unlink()
    assert (await feed.told())["eu-west"] == 120.0

    feed.write("eu-west,80\n")
    assert (await feed.told())["eu-west"] == 80.0


async def test_without_a_file_yet_the_table_counts(feed: Feed) -> None:
    """A feed that starts later than the router stops nobody."""
    assert await feed.told() == TABLE


async def test_a_file_that_nobody_writes_any_more_is_not_believed(feed: Feed) -> None:
    """Last week's wind says nothing of today."""
    feed.write("eu-west,120\n")
    assert (await feed.told())["eu-west"] == 120.0

    await feed.clock.advance(feed.settings.feed_age_max_s + 1)
    assert (await feed.told())["eu-west"] == 300.0

    feed.write("eu-west,90\n")
    assert (await feed.told())["eu-west"] == 90.0


async def test_listeners_hear_what_is_known_now_and_each_change_once(
    feed: Feed,
) -> None:
    """A look that finds nothing new tells nobody."""
    heard: list[Mapping[str, float]] = []
    feed.intensities.on_change(heard.append)
    feed.write("eu-west,120\n")

    await feed.told()
    await feed.told()
    feed.intensities.believe({"eu-west": 1.0})

    assert [one["eu-west"] for one in heard] == [300.0, 120.0]


async def test_metrics_show_what_is_reckoned_with(feed: Feed) -> None:
    """From the start on, and nothing that is no longer believed."""

    def shown(region: str) -> float | None:
        name = "router_carbon_intensity_grams_per_kwh"
        return REGISTRY.get_sample_value(name, {"region": region})

    assert shown("eu-west") == 300.0

    feed.write("eu-west,120\nasia,600\n")
    await feed.told()
    assert (shown("eu-west"), shown("asia")) == (120.0, 600.0)

    await feed.clock.advance(feed.settings.feed_age_max_s + 1)
    await feed.told()
    assert (shown("eu-west"), shown("asia")) == (300.0, None)


async def test_looks_go_on_at_their_interval(feed: Feed) -> None:
    """The loop looks at once, and again after each interval."""
    loop = asyncio.create_task(feed.intensities.run())
    feed.write("eu-west,120\n")
    try:
        async with asyncio.timeout(30):
            while feed.intensities.of("eu-west") != 120.0:
                await asyncio.sleep(0.01)
            feed.write("eu-west,110\n", age_s=1.0)
            while feed.intensities.of("eu-west") != 110.0:
                await feed.clock.advance(feed.settings.feed_interval_s)
                await asyncio.sleep(0.01)
        assert not loop.done()
    finally:
        loop.cancel()


async def test_readers_see_one_file_or_the_other_while_it_is_replaced(
    feed: Feed,
) -> None:
    """Two regions that a writer always moves together are never seen apart."""
    seen: set[tuple[float, float]] = set()

    def write() -> None:
        for count in range(200):
            feed.write(f"eu-west,{count}\nus-east,{count}\n", age_s=count)

    writing = asyncio.create_task(asyncio.to_thread(write))
    while not writing.done():
        told = await feed.told()
        seen.add((told["eu-west"], told["us-east"]))
    await writing
    told = await feed.told()
    seen.add((told["eu-west"], told["us-east"]))

    assert (199.0, 199.0) in seen
    assert all(west == east for west, east in seen - {(300.0, 500.0)})


@pytest.mark.parametrize("intensity", [-1.0, 5001.0, float("nan"), float("inf")])
def test_a_table_of_nonsense_is_refused_at_the_start(intensity: float) -> None:
    """A router that would reckon with it does not start."""
    with pytest.raises(ValueError, match="0 to 5000"):
        CarbonSettings(intensities={"eu-west": intensity})
