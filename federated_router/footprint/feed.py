"""Carbon intensities from a file that somebody else keeps. Pure but for `read_feed`.

Decides which files are understood and what is nonsense: all of a file counts or none.
Refuses to know who writes it, how often, and what was read before.

Two forms. CSV with a header: a column of regions (`region`, `zone`, `zone_name`,
`Google Cloud Region`) and one of grams per kWh (`intensity`, `carbon_intensity`,
`carbon_intensity_avg`, `Grid carbon intensity (gCO2eq / kWh)`), as Google's table of
its regions and Electricity Maps' exports have them. JSON: an object of numbers by
region, or a list of objects with such fields. Rows with a time (`datetime` in ISO 8601,
or `timestamp` in seconds) may name a region several times: the newest counts that is
not in the future.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from federated_router.footprint.settings import CarbonSettings
from federated_router.kit.file_mark import FileMark, mark_of
from federated_router.kit.names import is_id

_REGION: Final = ("region", "zone", "zone_name", "google cloud region")
_INTENSITY: Final = (
    "intensity", "carbon_intensity", "carbonintensity", "carbon_intensity_avg",
    "grid carbon intensity (gco2eq / kwh)",
)  # fmt: skip
_TIME: Final = ("datetime", "timestamp")

Row = Mapping[str, object]


class FeedRefused(Exception):
    """A file is not believed; the message says why, in words of this module."""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """What a look at the file saw: equal looks have read the same file."""

    written_s: float
    mark: FileMark


def look(path: Path) -> FeedFile:
    """Return the file's mark and when it was written; raise OSError."""
    found = path.stat()
    return FeedFile(found.st_mtime, mark_of(found))


def read_feed(
    path: Path, settings: CarbonSettings, *, now_s: float
) -> Mapping[str, float]:
    """Return the intensities in a file. Blocks; raise FeedRefused or OSError."""
    before = look(path)
    with path.open("rb") as file:
        content = file.read(settings.feed_bytes_max + 1)
    if len(content) > settings.feed_bytes_max:
        raise FeedRefused("larger than feed_bytes_max")
    if look(path).mark != before.mark:
        raise FeedRefused("written to while it was read")
    return intensities_in(content, settings, now_s=now_s)


def intensities_in(
    content: bytes, settings: CarbonSettings, *, now_s: float
) -> Mapping[str, float]:
    """Return grams of CO2 equivalent per kWh by region; raise FeedRefused."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedRefused("not UTF-8 text") from error
    rows = _json_rows(text) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text)
    told = _newest(rows, now_s=now_s)
    if not told:
        raise FeedRefused("no region in it")
    if len(told) > settings.regions_max:
        raise FeedRefused("more regions than regions_max")
    if max(told.values()) > settings.intensity_max:
        raise FeedRefused("an intensity above intensity_max")
    return told


def _csv_rows(text: str) -> Iterator[Row]:
    # Half a number is a number: a line counts once its end was written.
    text = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            yield {_name(key): value for key, value in row.items()}
    except csv.Error as error:
        raise FeedRefused("not CSV") from error


def _json_rows(text: str) -> Iterator[Row]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused("not JSON") from error
    if isinstance(content, dict):
        content = [{"region": key, "intensity": told} for key, told in content.items()]
    for row in content:
        if not isinstance(row, dict):
            raise FeedRefused("a list of something else than objects")
        yield {_name(key): value for key, value in row.items()}


def _name(key: object) -> str:
    return key.strip().lower() if isinstance(key, str) else ""


def _newest(rows: Iterable[Row], *, now_s: float) -> Mapping[str, float]:
    told: dict[str, float] = {}
    times: dict[str, float] = {}
    for row in rows:
        region, intensity = _region(row), _intensity(row)
        at_s = _time_s(row)
        if intensity is None or (at_s is not None and at_s > now_s):
            continue
        if region in told and at_s is None:
            raise FeedRefused("a region twice, and no time to tell them apart")
        if at_s is None or at_s >= times.get(region, -math.inf):
            told[region], times[region] = intensity, at_s or -math.inf
    return told


def _field(row: Row, names: Iterable[str]) -> object:
    return next((row[name] for name in names if name in row), None)


def _region(row: Row) -> str:
    region = _field(row, _REGION)
    if not isinstance(region, str) or not is_id(region.strip().lower()):
        raise FeedRefused("a row without the name of a region")
    return region.strip().lower()


def _intensity(row: Row) -> float | None:
    """Return grams per kWh; None where the field is empty."""
    told = _field(row, _INTENSITY)
    if told is None and not set(_INTENSITY) & set(row):
        raise FeedRefused("a row without an intensity")
    if told in (None, ""):
        return None
    return _number(told, "an intensity that is no number of at least 0")


def _time_s(row: Row) -> float | None:
    """Return seconds since the Unix epoch; None where the row has no time."""
    told = _field(row, _TIME)
    if told in (None, ""):
        return None
    if not isinstance(told, str) or told.replace(".", "", 1).isdigit():
        return _number(told, "a time that is none")
    try:
        moment = datetime.fromisoformat(told)
    except ValueError as error:
        raise FeedRefused("a time that is none") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(told: object, otherwise: str) -> float:
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        raise FeedRefused(otherwise)
    try:
        number = float(told)
    except (ValueError, OverflowError) as error:
        raise FeedRefused(otherwise) from error
    if not math.isfinite(number) or number < 0:
        raise FeedRefused(otherwise)
    return number
