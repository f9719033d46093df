"""Instants and durations as people say them, in the account's own time zone.

Pure: the time comes in as an argument.
"""

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.timestamp_pb2 import Timestamp

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60


def remaining(seconds: float) -> str:
    """Return a duration in its two largest units, such as `8 days 20 hours`."""
    minutes = int(seconds // _MINUTE_S)
    if minutes <= 0:
        return "a moment"
    days, rest = divmod(minutes * _MINUTE_S, _DAY_S)
    hours, rest = divmod(rest, _HOUR_S)
    counted = [(days, "day"), (hours, "hour"), (rest // _MINUTE_S, "minute")]
    first = next(index for index, (count, _) in enumerate(counted) if count)
    told = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in counted[first : first + 2]
        if count
    ]
    return " ".join(told)


def local_time(stamp: Timestamp, zone: str) -> datetime:
    """Return an instant as the account's zone tells it; UTC where it is not known."""
    return stamp.ToDatetime(tzinfo=UTC).astimezone(zone_of(zone))


def moment(stamp: Timestamp, zone: str) -> str:
    """Return an instant to the minute, with its zone."""
    local = local_time(stamp, zone)
    known = "UTC" if local.tzinfo is UTC else zone
    return f"{local:%Y-%m-%d %H:%M} {known}"


def zone_of(zone: str) -> tzinfo:
    """Return the time zone; UTC where this machine does not know it."""
    if zone in {"", "UTC"}:
        return UTC
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
