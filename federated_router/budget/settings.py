"""Budget configuration of a router: store, user quota, expiry."""

from decimal import Decimal

from pydantic import Field

from federated_router.kit.config import DatabaseUrl, Settings


class BudgetSettings(Settings):
    """Where budgets are kept, and what each user may learn."""

    url: DatabaseUrl = "sqlite+aiosqlite:///build/router/ledger.sqlite"
    timeout_s: float = Field(default=5.0, gt=0)
    user_epsilon: Decimal = Decimal(20)
    user_delta: Decimal = Decimal("1e-6")
    lease_margin_s: float = Field(default=30.0, gt=0)
    expire_interval_s: float = Field(default=5.0, gt=0)
