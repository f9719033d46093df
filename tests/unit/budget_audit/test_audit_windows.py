"""A new window that no calendar, two people or new data allowed is found and named."""

import json
from collections.abc import Callable

import pytest

from federated_router.budget.audit.findings import Fault
from federated_router.budget.checkpoint import CheckpointSigner
from tests.support.audit_story import (
    BATCHED,
    CALENDAR,
    CLOSED,
    COMMITTED_FOUR,
    EARLY,
    NEW_DATA,
    PROPOSED,
    WARD,
    Told,
    audited,
    change,
    entry,
    faults,
)


def _renew_by_one_person(told: Told) -> None:
    change(told, EARLY, approved_by="operators/eve")


def _renew_without_a_proposal(told: Told) -> None:
    change(told, PROPOSED, proposed_by="operators/mallory")


def _renew_for_another_reason(told: Told) -> None:
    change(told, EARLY, reason="another")


def _renew_on_an_expired_proposal(told: Told) -> None:
    change(told, PROPOSED, expires_time_s=1_767_268_862.0)


def _renew_early_at_another_time(told: Told) -> None:
    change(told, EARLY, window_start_s=1_767_268_800.0)


def _renew_for_an_unknown_cause(told: Told) -> None:
    change(told, EARLY, cause="mercy")


def _renew_by_a_calendar_that_is_none(told: Told) -> None:
    change(told, EARLY, cause="calendar")


@pytest.mark.parametrize(
    "wrong",
    [
        _renew_by_one_person,
        _renew_without_a_proposal,
        _renew_for_another_reason,
        _renew_on_an_expired_proposal,
        _renew_early_at_another_time,
        _renew_for_an_unknown_cause,
        _renew_by_a_calendar_that_is_none,
    ],
)
def test_early_renewal_without_two_people_is_named(
    told: Told, key: CheckpointSigner, wrong: Callable[[Told], None]
) -> None:
    """A reset is a new budget; nobody makes one alone, or on an old promise."""
    wrong(told)

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, EARLY)]


def test_proposal_approved_twice_is_named(told: Told, key: CheckpointSigner) -> None:
    """Two people agreed to one new window, not to two."""
    at = told.index(entry(told, EARLY))
    told.insert(at + 1, dict(told[at]))

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, EARLY + 1)]


@pytest.mark.parametrize(
    "start_s",
    [
        1_767_308_400.0 + 1,  # A second after midnight in Berlin.
        1_767_308_400.0 - 1,
        1_767_312_000.0,  # Midnight in Greenwich.
        1_767_308_400.0 - 86_400,  # The day before, over again.
        1_767_308_400.0 + 86_400,  # Tomorrow's budget today.
    ],
)
def test_calendar_renewal_at_another_time_is_named(
    told: Told, key: CheckpointSigner, start_s: float
) -> None:
    """A window begins at midnight of the account's own zone, and not sooner."""
    change(told, CALENDAR, window_start_s=start_s)

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, CALENDAR)]


def test_second_calendar_renewal_of_a_day_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """One midnight is one new window."""
    again = {**entry(told, CALENDAR)}
    told.insert(told.index(entry(told, COMMITTED_FOUR)) + 1, again)
    detail = json.loads(again["detail"])
    detail["spent_units"] = 488_281_250
    again["detail"] = json.dumps(detail)

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, COMMITTED_FOUR + 1)]


def test_first_window_of_an_account_begins_where_its_calendar_says(
    told: Told, key: CheckpointSigner
) -> None:
    """A window that begins in the past would renew at once."""
    change(told, WARD, window_start_s=1_767_222_000.0 - 86_400)

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, WARD)]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_unknown_time_zone_is_named(
    told: Told, key: CheckpointSigner, zone: str
) -> None:
    """Where nobody can say when a window begins, none is accepted."""
    change(told, WARD, zone=zone)

    assert (Fault.RENEWAL_WRONG, WARD) in faults(audited(told, key))


def test_renewal_on_data_that_nobody_opened_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """New data means a new block, opened in the same transaction."""
    change(told, NEW_DATA, block="accounts/block-batched.june")

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, NEW_DATA)]


def test_renewal_on_new_data_of_an_account_that_has_none_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """Only a data set in batches gets a new window with each."""
    change(told, BATCHED, renewal="none")

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, NEW_DATA)]


def test_early_renewal_of_a_closed_account_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """Closed is for ever, whoever agrees on something else."""
    closing = {**entry(told, CLOSED), "account": entry(told, EARLY)["account"]}
    told.insert(told.index(entry(told, EARLY)), closing)

    assert faults(audited(told, key)) == [(Fault.RENEWAL_WRONG, EARLY + 1)]


def test_renewal_that_forgets_what_was_spent_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """The entry says what the old window spent, and the books know it."""
    change(told, CALENDAR, spent_units=0)

    report = audited(told, key)

    assert faults(report) == [(Fault.RENEWAL_WRONG, CALENDAR)]
    assert "1,464,843,750" in report.findings[0].text
