"""Windows begin where a calendar says, whatever clocks do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.renewal import (
    RenewalPolicy,
    check_zone,
    next_renewal_s,
    rfc3339,
    window_start_s,
)

BERLIN = "Europe/Berlin"
HOUR_S = 3600.0
CALENDAR = [RenewalPolicy.DAILY, RenewalPolicy.WEEKLY, RenewalPolicy.MONTHLY]
# Zones with odd offsets, midnight clock changes, and changes of half an hour.
ZONES = [
    "UTC",
    BERLIN,
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
INSTANTS = st.integers(min_value=0, max_value=2_500_000_000).map(float)


def at(text: str) -> float:
    """Return the instant of RFC 3339 text."""
    return datetime.fromisoformat(text).timestamp()


def renews(policy: RenewalPolicy, zone: str, now: str) -> str:
    """Return when the next window begins, as text in the zone."""
    instant_s = next_renewal_s(policy, zone, at(now))
    assert instant_s is not None
    return datetime.fromtimestamp(instant_s, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("policy", "zone", "now", "expected"),
    [
        # Spring forward: the day has 23 hours.
        (
            RenewalPolicy.DAILY,
            BERLIN,
            "2026-03-29T00:30:00+01:00",
            "2026-03-30T00:00:00+02:00",
        ),
        # Fall back: the day has 25 hours, and 02:30 comes twice.
        (
            RenewalPolicy.DAILY,
            BERLIN,
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T00:00:00+01:00",
        ),
        (
            RenewalPolicy.DAILY,
            BERLIN,
            "2026-10-25T02:30:00+01:00",
            "2026-10-26T00:00:00+01:00",
        ),
        # The local date decides, not the date in UTC.
        (
            RenewalPolicy.DAILY,
            "America/New_York",
            "2026-01-02T03:00:00+00:00",
            "2026-01-02T00:00:00-05:00",
        ),
        # Midnight does not exist in Cairo on 2024-04-26: the day begins at 01:00.
        (
            RenewalPolicy.DAILY,
            "Africa/Cairo",
            "2024-04-25T12:00:00+02:00",
            "2024-04-26T01:00:00+03:00",
        ),
        # Midnight comes twice in Havana on 2025-11-02: the first one counts.
        (
            RenewalPolicy.DAILY,
            "America/Havana",
            "2025-11-01T12:00:00-04:00",
            "2025-11-02T00:00:00-04:00",
        ),
        # Weeks begin on Monday, also at the turn of the year.
        (
            RenewalPolicy.WEEKLY,
            BERLIN,
            "2026-01-01T12:00:00+01:00",
            "2026-01-05T00:00:00+01:00",
        ),
        (
            RenewalPolicy.WEEKLY,
            BERLIN,
            "2026-01-05T00:00:00+01:00",
            "2026-01-12T00:00:00+01:00",
        ),
        # Months have 28, 29, 30 and 31 days; the year ends.
        (
            RenewalPolicy.MONTHLY,
            BERLIN,
            "2026-01-31T23:59:59+01:00",
            "2026-02-01T00:00:00+01:00",
        ),
        (
            RenewalPolicy.MONTHLY,
            BERLIN,
            "2028-02-29T12:00:00+01:00",
            "2028-03-01T00:00:00+01:00",
        ),
        (
            RenewalPolicy.MONTHLY,
            BERLIN,
            "2026-12-31T23:59:59+01:00",
            "2027-01-01T00:00:00+01:00",
        ),
        # A month that holds a clock change is not a number of days.
        (
            RenewalPolicy.MONTHLY,
            BERLIN,
            "2026-03-15T12:00:00+01:00",
            "2026-04-01T00:00:00+02:00",
        ),
    ],
)
def test_next_window_begins_at_local_midnight(
    policy: RenewalPolicy, zone: str, now: str, expected: str
) -> None:
    """People read a calendar on their wall, not seconds since 1970."""
    assert renews(policy, zone, now) == expected


def test_account_without_renewal_never_renews() -> None:
    """No policy, no window after this one."""
    assert next_renewal_s(RenewalPolicy.NONE, "UTC", 0.0) is None


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_day_is_as_long_as_clocks_make_it(day: str, hours: int) -> None:
    """A window of 86,400 seconds would drift against the calendar."""
    noon_s = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(BERLIN))
    start_s = window_start_s(RenewalPolicy.DAILY, BERLIN, noon_s.timestamp())

    end_s = next_renewal_s(RenewalPolicy.DAILY, BERLIN, start_s)

    assert end_s == start_s + hours * HOUR_S


@given(st.sampled_from(CALENDAR), st.sampled_from(ZONES), INSTANTS)
def test_windows_are_gapless_and_hold_their_instants(
    policy: RenewalPolicy, zone: str, now_s: float
) -> None:
    """Every instant is in one window, and the next one begins where it ends."""
    start_s = window_start_s(policy, zone, now_s)
    end_s = next_renewal_s(policy, zone, now_s)

    assert end_s is not None
    assert start_s <= now_s < end_s
    assert next_renewal_s(policy, zone, start_s) == end_s
    assert window_start_s(policy, zone, end_s) == end_s


@pytest.mark.parametrize(
    "zone", ["", "Nowhere", "/etc/passwd", "../UTC", "a\0b", "x" * 500]
)
def test_unknown_zone_is_refused(zone: str) -> None:
    """A zone that cannot be read later would stop every request of the account."""
    with pytest.raises(FieldInvalid):
        check_zone(zone)


def test_instants_are_told_in_utc() -> None:
    """One format everywhere, that machines read too."""
    instant = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)

    assert rfc3339(instant.timestamp()) == "2026-03-29T01:00:00Z"
