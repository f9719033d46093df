"""Whether a window of a budget begins where its calendar says.

Decides by the definition (the first instant of a day, week or month that also holds
the present), not by computing it as the ledger does. Refuses to know balances. Depends
on the time zone data of this machine, as the ledger depended on that of its own.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WITHOUT_CALENDAR: Final = frozenset({"none", "on_new_data"})
_PERIODS: Final[Mapping[str, Callable[[date], object]]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}


def has_calendar(renewal: str) -> bool:
    """Return whether windows of this policy follow a calendar.

    Raises:
        ValueError: no such policy.
    """
    if renewal not in _WITHOUT_CALENDAR and renewal not in _PERIODS:
        raise ValueError(renewal)
    return renewal in _PERIODS


@lru_cache(maxsize=4096)
def begins_window(renewal: str, zone: str, *, start_us: int, now_us: int) -> bool:
    """Return whether `start_us` is the first instant of the period that holds now.

    Both are microseconds of Unix time. Raises ValueError for a zone or an instant
    that is not known here.
    """
    local = _zone(zone)
    period = _PERIODS[renewal]
    start = period(_day(start_us, local))
    return start == period(_day(now_us, local)) != period(_day(start_us - 1, local))


def rfc3339(instant_us: int) -> str:
    """Return the instant as RFC 3339 text in UTC, to the second.

    An instant beyond what a calendar names is told as a number.
    """
    try:
        return (_EPOCH + timedelta(microseconds=instant_us)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
    except OverflowError:
        return f"{instant_us} microseconds after 1970"


def _zone(zone: str) -> tzinfo:
    if zone == "UTC":
        return UTC
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(zone) from error


def _day(instant_us: int, local: tzinfo) -> date:
    try:
        instant = _EPOCH + timedelta(microseconds=instant_us)
        return instant.astimezone(local).date()
    except OverflowError as error:
        raise ValueError(instant_us) from error
