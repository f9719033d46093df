"""Privacy budgets: accounts that cannot be overspent. No network, no privacy maths."""
