"""When a budget's window begins and ends, by the calendar of a time zone.

Decides instants only. Refuses to know balances: what a new window does to an account
is said in `accounts`. Windows begin at local midnight: every day, on Mondays, or on
the first of the month; or, without a calendar, when new data arrives. Days of 23 and
25 hours are days; where a clock change skips midnight, the window begins at the first
instant of that date.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from federated_router.kit.errors import FieldInvalid

_DECEMBER = 12


class RenewalPolicy(StrEnum):
    """How often an account gets a new window."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ON_NEW_DATA = "on_new_data"


_WITHOUT_CALENDAR = frozenset({RenewalPolicy.NONE, RenewalPolicy.ON_NEW_DATA})


def check_zone(zone: str) -> None:
    """Raise FieldInvalid unless `zone` is an IANA time zone known to this machine."""
    try:
        _zone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FieldInvalid(
            "Give the time zone as an IANA name such as 'Europe/Berlin' or 'UTC'.",
            field="zone",
        ) from error


def window_start_s(policy: RenewalPolicy, zone: str, now_s: float) -> float:
    """Return when the window that holds `now_s` began; `now_s` without a calendar."""
    if policy in _WITHOUT_CALENDAR:
        return now_s
    local = _zone(zone)
    return _midnight_s(_first_date(policy, _date(now_s, local)), local)


@lru_cache(maxsize=4096)
def next_renewal_s(policy: RenewalPolicy, zone: str, now_s: float) -> float | None:
    """Return when the window after the one that holds `now_s` begins.

    Always later than `now_s`; None for an account that no calendar renews.
    """
    if policy in _WITHOUT_CALENDAR:
        return None
    local = _zone(zone)
    first = _first_date(policy, _date(now_s, local))
    return _midnight_s(_following_date(policy, first), local)


def rfc3339(instant_s: float) -> str:
    """Return the instant as RFC 3339 text in UTC, to the second."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone(zone: str) -> tzinfo:
    # UTC needs no time zone data, which small container images lack.
    return UTC if zone == "UTC" else ZoneInfo(zone)


def _date(now_s: float, local: tzinfo) -> date:
    return datetime.fromtimestamp(now_s, local).date()


def _midnight_s(day: date, local: tzinfo) -> float:
    # fold=0 takes the first of two midnights and, for a midnight that does not
    # exist, the offset before the change, which is the instant of the change.
    return datetime.combine(day, time.min, tzinfo=local).timestamp()


def _first_date(policy: RenewalPolicy, day: date) -> date:
    if policy is RenewalPolicy.MONTHLY:
        return day.replace(day=1)
    if policy is RenewalPolicy.WEEKLY:
        return day - timedelta(days=day.weekday())
    return day


def _following_date(policy: RenewalPolicy, first: date) -> date:
    if policy is RenewalPolicy.MONTHLY:
        if first.month == _DECEMBER:
            return first.replace(year=first.year + 1, month=1)
        return first.replace(month=first.month + 1)
    return first + timedelta(days=7 if policy is RenewalPolicy.WEEKLY else 1)
