"""An exhausted account is told with all that decides what to do next."""

from datetime import UTC, datetime

import pytest

from federated_router.cli.refusal import error_lines
from federated_router.kit.errors import AccountUnknown, BudgetExhausted

NOW = datetime(2026, 10, 14, 17, 46, tzinfo=UTC)
FACTS = {
    "account": "accounts/dataset-ward",
    "needed_units": "48828125000",
    "free_units": "1000",
    "limit_units": "638597081220",
    "renews": "2026-11-01T00:00:00Z",
    "held_by": "alice.r-1,bob.r-7",
}


def test_exhausted_account_as_a_small_table() -> None:
    """Account, needed, free, renewal, and who holds the rest."""
    error = BudgetExhausted("The budget is short.", metadata=FACTS)

    assert error_lines(error, now=NOW) == [
        "BUDGET_EXHAUSTED: The budget is short.",
        "  account  accounts/dataset-ward (guarantee)",
        "  needed   48,828,125,000 units",
        "  free     1,000 of 638,597,081,220 units",
        "  lacking  48,828,124,000 units",
        "  renews   in 17 days 6 hours, at 2026-11-01T00:00:00Z",
        "  held by  alice.r-1, bob.r-7",
    ]


def test_account_that_never_renews_and_that_nobody_holds() -> None:
    """Waiting is then in vain, and the table says so."""
    facts = FACTS | {"renews": "never", "held_by": "", "account": "accounts/user-a"}

    lines = error_lines(BudgetExhausted("Short.", metadata=facts), now=NOW)

    assert "  account  accounts/user-a (quota)" in lines
    assert "  renews   never" in lines
    assert "  held by  nobody" in lines


@pytest.mark.parametrize("missing", ["account", "needed_units", "free_units"])
def test_facts_of_an_older_router_are_told_as_they_are(missing: str) -> None:
    """A table with a hole would be worse than the plain facts."""
    facts = {key: value for key, value in FACTS.items() if key != missing}

    lines = error_lines(BudgetExhausted("Short.", metadata=facts), now=NOW)

    assert "  limit_units: 638597081220" in lines


def test_other_errors_are_reason_message_and_facts() -> None:
    """One form for every other reason."""
    error = AccountUnknown("There is no account.", metadata={"account": "accounts/x"})

    assert error_lines(error, now=NOW) == [
        "ACCOUNT_UNKNOWN: There is no account.",
        "  account: accounts/x",
    ]
