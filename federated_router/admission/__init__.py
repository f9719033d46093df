"""Who is let in: priorities, fairness between tenants, rates, shedding."""
