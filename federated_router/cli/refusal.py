"""An error as lines for people: reason, message, facts.

Pure: an error and the time come in, text goes out.
"""

from datetime import datetime

from federated_router.cli.budget_text import promise_of_name
from federated_router.cli.budget_time import remaining
from federated_router.cli.screen import fact_lines
from federated_router.kit.errors import BudgetExhausted, FederationError

Facts = list[tuple[str, str]]


def error_lines(error: FederationError, *, now: datetime) -> list[str]:
    """Return one line that says what happened, and one per fact."""
    facts = None
    if isinstance(error, BudgetExhausted):
        facts = exhausted_facts(error, now=now)
    if facts is None:
        lines = [f"  {key}: {value}" for key, value in sorted(error.metadata.items())]
    else:
        lines = fact_lines(facts)
    return [f"{error.reason}: {error.message}", *lines]


def exhausted_facts(error: BudgetExhausted, *, now: datetime) -> Facts | None:
    """Return what an exhausted account lacks; None where the error does not say."""
    told = error.metadata
    try:
        needed, free = int(told["needed_units"]), int(told["free_units"])
        limit, account = int(told["limit_units"]), told["account"]
    except (KeyError, ValueError):
        return None
    holders = [one for one in told.get("held_by", "").split(",") if one]
    return [
        ("account", f"{account} ({promise_of_name(account)})"),
        ("needed", f"{needed:,} units"),
        ("free", f"{free:,} of {limit:,} units"),
        ("lacking", f"{max(0, needed - free):,} units"),
        ("renews", _renews(told.get("renews", "never"), now=now)),
        ("held by", ", ".join(holders) or "nobody"),
    ]


def _renews(told: str, *, now: datetime) -> str:
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return told
    return f"in {remaining((at - now).total_seconds())}, at {told}"
