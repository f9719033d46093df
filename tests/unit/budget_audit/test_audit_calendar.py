"""The auditor's definition of a window agrees with how the ledger computes one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from federated_router.budget.audit.calendar import begins_window, has_calendar, rfc3339
from federated_router.privacy.renewal import (
    RenewalPolicy,
    next_renewal_s,
    window_start_s,
)

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",  # Clock changes skipped midnight until 2018.
    "America/St_Johns",  # And changed at one minute past midnight until 2011.
    "Asia/Beirut",
    "Africa/Cairo",
    "Atlantic/Azores",
    "Asia/Kathmandu",
    "Pacific/Apia",  # Had no 30 December 2011.
]
POLICIES = [RenewalPolicy.DAILY, RenewalPolicy.WEEKLY, RenewalPolicy.MONTHLY]
HOUR_US = 3_600_000_000
NOW_US = st.integers(1_260_000_000_000_000, 4_000_000_000_000_000)


def micros(instant_s: float) -> int:
    """Return an instant as the journal shows it."""
    return round(instant_s * 1_000_000)


@given(
    now_us=NOW_US,
    zone=st.sampled_from(ZONES),
    policy=st.sampled_from(POLICIES),
)
@example(now_us=1_541_300_400_000_000, zone="America/Sao_Paulo", policy=POLICIES[0])
@example(now_us=1_325_239_200_000_000, zone="Pacific/Apia", policy=POLICIES[0])
@example(now_us=1_320_546_660_000_000, zone="America/St_Johns", policy=POLICIES[0])
@example(now_us=1_772_319_599_999_999, zone="Europe/Berlin", policy=POLICIES[2])
def test_window_of_the_ledger_is_the_only_one_that_the_auditor_accepts(
    now_us: int, zone: str, policy: RenewalPolicy
) -> None:
    """Computed there and recognised here: two ways to the same midnight."""
    start_us = micros(window_start_s(policy, zone, now_us / 1_000_000))

    assert begins_window(policy.value, zone, start_us=start_us, now_us=now_us)
    for wrong_us in (start_us - 1, start_us + 1, start_us - 12 * HOUR_US):
        assert not begins_window(policy.value, zone, start_us=wrong_us, now_us=now_us)


@given(
    now_us=NOW_US,
    zone=st.sampled_from(ZONES),
    policy=st.sampled_from(POLICIES),
)
def test_window_of_tomorrow_is_not_accepted_today(
    now_us: int, zone: str, policy: RenewalPolicy
) -> None:
    """The next window begins when it begins, and an instant before it does not."""
    following_s = next_renewal_s(policy, zone, now_us / 1_000_000)
    assert following_s is not None
    start_us = micros(following_s)

    assert not begins_window(policy.value, zone, start_us=start_us, now_us=start_us - 1)
    assert begins_window(policy.value, zone, start_us=start_us, now_us=start_us)


def test_policies_without_a_calendar_have_none() -> None:
    """Every policy of the ledger is known here, and nothing else."""
    assert {one for one in RenewalPolicy if has_calendar(one.value)} == set(POLICIES)
    with pytest.raises(ValueError, match="yearly"):
        has_calendar("yearly")


def test_instant_beyond_every_calendar_is_still_told() -> None:
    """A file may claim any time."""
    assert rfc3339(1_767_268_800_250_000) == "2026-01-01T12:00:00Z"
    assert "microseconds" in rfc3339(2**63 - 1)
    with pytest.raises(ValueError, match=str(2**63 - 1)):
        begins_window("daily", "UTC", start_us=2**63 - 1, now_us=2**63 - 1)
