"""Instants and durations are told in the account's zone, and never too long."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.cli.budget_facts import account_facts
from federated_router.cli.budget_text import (
    renewal_day,
)
from federated_router.cli.budget_time import moment, remaining, zone_of
from tests.support.told_accounts import dataset, stamp

NOW = datetime(2026, 10, 14, 17, 46, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "a moment"),
        (59, "a moment"),
        (60, "1 minute"),
        (3_600, "1 hour"),
        (3_661, "1 hour 1 minute"),
        (86_400, "1 day"),
        (86_400 + 3_599, "1 day"),
        (8 * 86_400 + 20 * 3_600 + 59 * 60, "8 days 20 hours"),
    ],
)
def test_remaining_time_in_two_units(seconds: float, told: str) -> None:
    """Never more than there is, so that nobody comes too early."""
    assert remaining(seconds) == told


@given(st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=4000)))
def test_remaining_time_is_never_overstated(wait: timedelta) -> None:
    """The units that are told add up to at most the wait."""
    words = remaining(wait.total_seconds()).split()
    seconds = {"day": 86_400, "hour": 3_600, "minute": 60}

    told_s = sum(
        int(count) * seconds[unit.rstrip("s")]
        for count, unit in zip(words[::2], words[1::2], strict=True)
    )

    assert 0 <= wait.total_seconds() - told_s < 86_400


def test_times_are_in_the_accounts_zone() -> None:
    """Midnight in Berlin is what the operator agreed to."""
    renews = stamp("2026-10-31T23:00:00Z")
    account = dataset(time_zone="Europe/Berlin")
    account.renew_time.CopyFrom(renews)

    assert moment(renews, "Europe/Berlin") == "2026-11-01 00:00 Europe/Berlin"
    assert moment(renews, "UTC") == "2026-10-31 23:00 UTC"
    assert renewal_day(account) == "2026-11-01"


@pytest.mark.parametrize("zone", ["", "UTC", "Mars/Olympus", "../etc/passwd", "\0"])
def test_a_zone_that_this_machine_lacks_is_told_in_utc(zone: str) -> None:
    """And named UTC, so that nobody reads it as local."""
    assert zone_of(zone) is UTC
    assert moment(stamp("2026-10-31T23:00:00Z"), zone).endswith(" UTC")


def test_remaining_counts_across_zones() -> None:
    """Now may be told in any zone; an instant is an instant."""
    account = dataset(renew_time=stamp("2026-10-31T23:00:00Z"))
    here = NOW.astimezone(timezone(timedelta(hours=-9)))

    assert (
        dict(account_facts(account, now=here))["renews"]
        == dict(account_facts(account, now=NOW))["renews"]
    )
