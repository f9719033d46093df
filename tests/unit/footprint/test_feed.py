"""Which files of carbon intensities are believed, and which are refused whole."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.footprint.feed import FeedRefused, intensities_in, read_feed
from federated_router.footprint.settings import CarbonSettings

SETTINGS = CarbonSettings(feed_bytes_max=4096, regions_max=3, intensity_max=2000.0)
NOON_S = 1_577_880_000.0  # 2020-01-01 12:00 UTC


def told(content: str) -> dict[str, float]:
    """Return what a file of this content says."""
    return dict(intensities_in(content.encode(), SETTINGS, now_s=NOON_S))


@pytest.mark.parametrize(
    "content",
    [
        "region,intensity\neu-west,312.5\neu-north,20\n",
        (
            "Google Cloud Region,Location,Grid carbon intensity (gCO2eq / kWh)\n"
            "eu-west,Here,312.5\neu-north,There,20\nelse,Nowhere,\n"
        ),
        '{"eu-west": 312.5, "eu-north": 20}',
        (
            '[{"zone": "EU-WEST", "carbonIntensity": 312.5},'
            ' {"zone": "eu-north", "carbonIntensity": "20"}]'
        ),
        "\ufeffregion,intensity\r\neu-west,312.5\r\neu-north,20\r\n",
    ],
)
def test_the_usual_forms_are_understood(content: str) -> None:
    """CSV and JSON, as the known tables and exports are written."""
    assert told(content) == {"eu-west": 312.5, "eu-north": 20.0}


def test_of_several_times_the_newest_counts_that_has_come() -> None:
    """A file of hourly values may hold a forecast; it does not count yet."""
    content = (
        "datetime,zone_name,carbon_intensity_avg\n"
        "2020-01-01T11:00:00+00:00,US-CAL,300\n"
        "2020-01-01T10:00:00+00:00,US-CAL,200\n"
        "2020-01-01T13:00:00+00:00,US-CAL,100\n"
    )
    assert told(content) == {"us-cal": 300.0}


def test_a_line_that_has_no_end_yet_does_not_count() -> None:
    """Half of 312 is 31: a number may be cut where the writer stands."""
    assert told("region,intensity\neu-west,312\neu-north,31") == {"eu-west": 312.0}


@pytest.mark.parametrize(
    "content",
    [
        "", "\n", "region,intensity\n", "region,intensity\neu-west,",
        "region,intensity\neu-west,-1\n", "region,intensity\neu-west,nan\n",
        "region,intensity\neu-west,inf\n", "region,intensity\neu-west,2001\n",
        "region,intensity\neu-west,much\n", "region,intensity\n../x,1\n",
        "region,intensity\neu-west,1\neu-west,2\n", "region,price\neu-west,1\n",
        "region,intensity\na,1\nb,1\nc,1\nd,1\n", "region,datetime,intensity\na,?,1\n",
        '{"eu-west": true}', '{"eu-west": [1]}', '{"eu-west": 1', "[1, 2]", "[]", "{}",
        '{"eu-west": 1e999}', "[" * 4000, '{"eu-west": 1' + "0" * 400 + "}",
    ],
)  # fmt: skip
def test_nonsense_is_refused_whole(content: str) -> None:
    """One bad row refuses the file: the rest of it is no more trustworthy."""
    with pytest.raises(FeedRefused):
        told(content)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_understood_or_refused(content: bytes) -> None:
    """Nothing else is raised, and nothing unbounded is told."""
    try:
        found = intensities_in(content, SETTINGS, now_s=NOON_S)
    except FeedRefused:
        return
    assert 1 <= len(found) <= SETTINGS.regions_max
    assert all(0 <= value <= SETTINGS.intensity_max for value in found.values())


@given(st.dictionaries(st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
                       st.floats(0, 2000), min_size=1, max_size=3))  # fmt: skip
def test_csv_and_json_of_the_same_values_say_the_same(values: dict[str, float]) -> None:
    """Both forms go through the same checks."""
    rows = "".join(f"{region},{value!r}\n" for region, value in values.items())
    assert told("region,intensity\n" + rows) == told(json.dumps(values)) == values


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """The limit holds before anything is parsed."""
    file = tmp_path / "feed.csv"
    file.write_text("region,intensity\n" + "#" * 5000 + "\n")
    with pytest.raises(FeedRefused, match="feed_bytes_max"):
        read_feed(file, SETTINGS, now_s=NOON_S)


def test_a_file_written_meanwhile_is_refused(tmp_path: Path) -> None:
    """What was read may be of two files; the next look reads it again."""
    file = tmp_path / "feed.csv"
    file.write_text("region,intensity\neu-west,312\n")

    class Written(type(file)):  # type: ignore[misc]
        """Is written to as soon as it was opened."""

        def open(self, mode: str = "r") -> object:
            """Open, and let another writer in."""
            opened = super().open(mode)
            os.utime(self, ns=(1, 1))
            return opened

    with pytest.raises(FeedRefused, match="while it was read"):
        read_feed(Written(file), SETTINGS, now_s=NOON_S)
