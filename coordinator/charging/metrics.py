"""What Prometheus hears about the federation's budget."""

from prometheus_client import Gauge

from federated_router.budget.accounts import Account
from federated_router.privacy.charge import UNITS_PER_RHO

BUDGET = Gauge(
    "federation_budget_loss",
    "Privacy loss of the federation's account, in the measure it is kept in.",
    ["part"],
)


def tell(account: Account) -> None:
    """Show the account's balance: limit, spent, held, free, lifetime."""
    parts = {
        "limit": account.limit_units,
        "spent": account.spent_units,
        "held": account.reserved_units,
        "free": account.free_units,
        "lifetime": account.lifetime_units,
    }
    for part, units in parts.items():
        BUDGET.labels(part).set(units / UNITS_PER_RHO)
